//! Profiles: deployments and the credentials for them, in a file that its owner alone can read.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use crate::kv::create;
use crate::output::{Exit, Failure};
use crate::secret::Secret;
use crate::site::Site;

/// Everything in the file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    /// The one that is used if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<String>,
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
}

/// A deployment and who one is there.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Where the management API is.
    pub(crate) url: Site,
    /// Where gated requests go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gate: Option<Site>,
    /// The workspace's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workspace: Option<String>,
    /// The issuer of the token, and what this client is called there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) issuer: Option<Site>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    /// The user's own API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<Secret>,
    /// The secret by which requests with it are signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signing_secret: Option<Secret>,
}

impl Profile {
    pub(crate) const fn new(url: Site) -> Self {
        Self {
            url,
            gate: None,
            workspace: None,
            issuer: None,
            client_id: None,
            token: None,
            api_key: None,
            signing_secret: None,
        }
    }

    /// Takes over a token, and where it came from.
    pub(crate) fn signed_in(&mut self, other: &Self) {
        self.issuer.clone_from(&other.issuer);
        self.client_id.clone_from(&other.client_id);
        self.token.clone_from(&other.token);
    }
}

impl Profiles {
    /// Reads the file; one that is not there has no profiles.
    pub(crate) fn read() -> Result<Self, Failure> {
        let path = path()?;
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::io(path.display(), &error)),
        };
        check_private(&path)?;
        // What toml says of an error repeats the line, which may hold a secret.
        toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.lines().count().max(1);
            let path = path.display();
            Failure::new(
                Exit::Io,
                format!("{path}: near line {line} it is not as `portcullis setup` writes it"),
            )
        })
    }

    /// Changes the file, whole or not at all. Who else changes it waits meanwhile, or one change would undo
    /// another.
    pub(crate) fn edit<T>(
        change: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let path = path()?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let lock = private_folder(folder).and_then(|()| create(&path.with_extension("lock")));
        // Let go of when it is closed.
        let _lock = lock
            .and_then(|file| file.lock().map(|()| file))
            .map_err(|error| Failure::io(path.display(), &error))?;
        let mut profiles = Self::read()?;
        let done = change(&mut profiles)?;
        profiles.write()?;
        Ok(done)
    }

    fn write(&self) -> Result<(), Failure> {
        let path = path()?;
        let text = toml::to_string(self).map_err(|error| Failure::io(path.display(), &error))?;
        let part = path.with_extension(format!("part{}", std::process::id()));
        let written = create(&part)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&part, &path));
        written.map_err(|error| Failure::io(path.display(), &error))
    }

    /// The profile of this name, or the default one, and its name.
    pub(crate) fn find(&self, name: Option<&str>) -> Result<Option<(&str, &Profile)>, Failure> {
        let Some(name) = name.or(self.default.as_deref()) else { return Ok(None) };
        match self.profiles.get_key_value(name) {
            Some((name, profile)) => Ok(Some((name, profile))),
            // Not repeated: a key that was pasted in its place must not end in a log.
            None => {
                Err(Failure::usage("there is no profile of this name: portcullis config profiles"))
            }
        }
    }

    /// Changes the profile of this name, or the default one, in the file.
    pub(crate) fn change(
        name: Option<&str>,
        change: impl FnOnce(&mut Profile) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        Self::edit(|profiles| {
            let name = profiles.find(name)?.map(|(name, _)| name.to_owned());
            let profile = name.and_then(|name| profiles.profiles.get_mut(&name));
            change(profile.ok_or_else(no_profile)?)
        })
    }
}

/// Where the file is.
pub(crate) fn path() -> Result<PathBuf, Failure> {
    let base = etcetera::choose_base_strategy()
        .map_err(|_| Failure::new(Exit::Io, "neither XDG_CONFIG_HOME nor HOME is set"))?;
    Ok(base.config_dir().join("portcullis").join("config.toml"))
}

pub(crate) fn no_profile() -> Failure {
    Failure::usage("there is no profile yet: portcullis setup --url URL")
}

#[cfg(unix)]
fn check_private(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path).map_err(|error| Failure::io(path.display(), &error))?;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::new(Exit::Io, format!("{path} can be read by others: chmod 600 {path}")))
}

#[cfg(not(unix))]
fn check_private(_: &Path) -> Result<(), Failure> {
    Ok(())
}

#[cfg(unix)]
fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private_folder(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)
}
