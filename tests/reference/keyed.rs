//! Requests with a key: whose it is, what it may, and leave of its Workspace.

use std::collections::BTreeMap;

use crate::credential;
use crate::meter::{Claim, Meter};
use crate::reference::{Case, Checked, INVALID, UNAVAILABLE, World};
use crate::rules;
use crate::signature::{self, Claimed};
use crate::target;
use crate::world::{Key, Meaning, Mode, Route, STATIC_WORKSPACE, StaticKey};

/// What became of the search for a record.
struct Record<'w> {
    key: &'w Key,
    /// Whether the Workspace stands behind it, or need not.
    is_confirmed: bool,
}

impl<'w> Case<'w> {
    /// A request with the text of a key.
    pub fn key(
        &self,
        route: &Route,
        parameters: &BTreeMap<String, String>,
        text: &str,
        meter: &mut Meter,
    ) -> Checked<()> {
        let world = self.world;
        let native = credential::native(text);
        let kid = match &native {
            Some(native) if native.is_minted(text, &world.roots) => native.kid.to_owned(),
            Some(_) => return Err(INVALID),
            None => {
                let environment = world.policy.static_keys.iter().find(|own| own.text == text);
                if let Some(own) = environment {
                    return self.environment(route, parameters, own);
                }
                self.imported(text)?
            }
        };
        let record = self.record(route, &kid)?;
        let key = record.key;
        let proof = self.proof(key, native.as_ref(), text);
        if proof == Err(INVALID) {
            // The Workspace might know a newer secret.
            return Err(if record.is_confirmed { INVALID } else { UNAVAILABLE });
        }
        let standing = proof.and_then(|()| self.standing(key));
        if standing == Err("REVOKED_API_KEY") {
            return standing;
        }
        let rights = standing.and_then(|()| self.rights(route, parameters, key));
        rights.map_err(|code| self.told(code, &record))?;
        self.length(route)?;
        let once = self.signature_of(route, key).map_err(|code| self.told(code, &record))?;
        self.leave(route, &record, once, meter)
    }

    /// A refusal that a Workspace might know better than the copy at hand.
    fn told(&self, code: &'static str, record: &Record<'_>) -> &'static str {
        if record.is_confirmed || self.degrades(record.key) { code } else { UNAVAILABLE }
    }

    fn proof(&self, key: &Key, native: Option<&credential::Native<'_>>, text: &str) -> Checked<()> {
        let is_prefix = native.is_none_or(|native| native.prefix == key.prefix);
        let of = |generation: u8| native.is_none_or(|native| native.generation() == generation);
        let own = key.secrets.iter().find(|own| of(own.generation) && own.text == text);
        let secret = own.filter(|_| is_prefix).ok_or(INVALID)?;
        self.ended(secret.expires)
    }

    fn ended(&self, expires: Option<u64>) -> Checked<()> {
        let over = expires.is_some_and(|end| self.second() >= end);
        if over { Err("EXPIRED_API_KEY") } else { Ok(()) }
    }

    fn standing(&self, key: &Key) -> Checked<()> {
        match key.status {
            "revoked" => return Err("REVOKED_API_KEY"),
            "disabled" => return Err("DISABLED_API_KEY"),
            "quarantined" => return Err("KEY_QUARANTINED"),
            _ => {}
        }
        self.ended(key.expires)?;
        let early = key.not_before.is_some_and(|begin| self.second() < begin);
        if early { Err("KEY_NOT_YET_VALID") } else { Ok(()) }
    }

    fn rights(
        &self,
        route: &Route,
        parameters: &BTreeMap<String, String>,
        key: &Key,
    ) -> Checked<()> {
        self.allowed(route, parameters, &key.ips, &key.scopes, &key.bindings, key.workspace())?;
        match key.subject {
            // Nobody would hold it to what is its own.
            Some(_) if route.subject.is_none() => Err("WRONG_RESOURCE"),
            Some(subject) => self.subject(route, parameters, subject),
            None => Ok(()),
        }
    }

    fn allowed(
        &self,
        route: &Route,
        parameters: &BTreeMap<String, String>,
        ips: &[&str],
        scopes: &[&str],
        bindings: &BTreeMap<&'static str, Vec<&'static str>>,
        workspace: &str,
    ) -> Checked<()> {
        if !ips.is_empty() && !rules::is_inside(self.address().as_deref(), ips) {
            return Err("IP_NOT_ALLOWED");
        }
        let grants = scopes.iter().copied();
        if route.scope.is_some_and(|scope| !rules::covers(grants, scope)) {
            return Err("PERMISSION_DENIED");
        }
        for (name, values) in bindings {
            let fits = match parameters.get(*name) {
                Some(own) => values.iter().any(|value| value.as_bytes() == target::decode(own)),
                None => route.bindings.contains(name),
            };
            if !fits {
                return Err("WRONG_RESOURCE");
            }
        }
        let foreign = |own: &String| own != "current" && own != workspace;
        if parameters.get("workspace_id").is_some_and(foreign) {
            return Err("WRONG_RESOURCE");
        }
        Ok(())
    }

    fn environment(
        &self,
        route: &Route,
        parameters: &BTreeMap<String, String>,
        own: &StaticKey,
    ) -> Checked<()> {
        let bindings = &own.bindings;
        self.allowed(route, parameters, &own.ips, &own.scopes, bindings, STATIC_WORKSPACE)?;
        self.length(route)?;
        // There is nothing that it could sign with.
        if route.is_signed { Err("SIGNATURE_REQUIRED") } else { Ok(()) }
    }

    /// The kid of an imported key.
    fn imported(&self, text: &str) -> Checked<String> {
        let base64 = text.trim_end_matches('=');
        let letters = |b: u8| b.is_ascii_alphanumeric() || b"+/".contains(&b);
        if text.len() != 44 || base64.len() < 42 || !base64.bytes().all(letters) {
            return Err(INVALID);
        }
        for root in &self.world.roots {
            if self.faults.kv {
                return Err(UNAVAILABLE);
            }
            match self.world.kv.get(&root.pointer(text)).map(|row| &row.meaning) {
                None => {}
                Some(Meaning::Pointer(kid)) => return Ok(kid.clone()),
                Some(_) => return Err(UNAVAILABLE),
            }
        }
        Err(INVALID)
    }

    fn mode(&self, route: &Route, workspace: &str) -> Mode {
        let own = self.world.policy.workspaces.get(workspace).and_then(|own| own.mode);
        route.mode.or(own).unwrap_or(self.world.policy.mode)
    }

    fn degrades(&self, key: &Key) -> bool {
        let own = self.world.policy.workspaces.get(key.workspace());
        own.and_then(|own| own.degrades).unwrap_or(self.world.policy.degrades)
    }

    fn is_silent(&self, workspace: &str) -> bool {
        self.faults.workspace || !self.world.opened.contains(workspace)
    }

    /// What KV has, if it may be believed; `Ok(None)` if it has nothing.
    fn copy(&self, kid: &str) -> Checked<Option<&'w Key>> {
        if self.faults.kv {
            return Err(UNAVAILABLE);
        }
        match self.world.kv.get(&format!("k1:{kid}")).map(|row| &row.meaning) {
            None => Ok(None),
            Some(Meaning::Record(key)) if self.second() < key.fresh_until => Ok(Some(key)),
            Some(_) => Err(UNAVAILABLE),
        }
    }

    fn record(&self, route: &Route, kid: &str) -> Checked<Record<'w>> {
        let workspace = &kid[1..7];
        if self.mode(route, workspace) == Mode::Edge && !self.is_settled {
            let key = self.copy(kid)?.ok_or(INVALID)?;
            return Ok(Record { key, is_confirmed: true });
        }
        if !self.is_silent(workspace) {
            let key = self.world.keys.get(kid).ok_or(INVALID)?;
            return Ok(Record { key, is_confirmed: true });
        }
        match self.copy(kid) {
            Ok(Some(key)) => Ok(Record { key, is_confirmed: false }),
            _ => Err(UNAVAILABLE),
        }
    }

    /// What the key's signature mode and the route ask of a request that has its secret.
    fn signature_of(&self, route: &Route, key: &Key) -> Checked<Option<String>> {
        let names = ["x-signature", "signature", "signature-input"];
        let is_there = names.iter().any(|name| self.sent.header(name).is_some());
        match key.signature {
            // What is not looked at proves nothing.
            "none" if route.is_signed => Err("SIGNATURE_REQUIRED"),
            "none" => Ok(None),
            "only" => Err("SIGNATURE_REQUIRED"),
            "optional" if !is_there && !route.is_signed => Ok(None),
            _ if !is_there => Err("SIGNATURE_REQUIRED"),
            _ => {
                let claimed = signature::claimed(self.sent, self.second())?;
                let v1 = self.sent.header("x-signature").is_some();
                let kid = if v1 { key.kid.clone() } else { claimed.kid.clone() };
                self.signature(&Claimed { kid, ..claimed }, key)
            }
        }
    }

    fn signature(&self, claimed: &Claimed, key: &Key) -> Checked<Option<String>> {
        let World { roots, policy, .. } = self.world;
        signature::check(self.sent, claimed, key, roots, policy, self.second())
    }

    /// A request without a secret.
    pub fn signed(
        &self,
        route: &Route,
        parameters: &BTreeMap<String, String>,
        meter: &mut Meter,
    ) -> Checked<()> {
        let claimed = signature::claimed(self.sent, self.second())?;
        let kid = claimed.kid.as_str();
        let is_minted = kid.len() == 20
            && kid.is_ascii()
            && self.world.roots.iter().any(|root| root.tag(&kid[..14]) == kid[14..]);
        if !is_minted {
            return Err("INVALID_SIGNATURE");
        }
        self.length(route)?;
        let too_long = self.declared().is_some_and(|own| own > self.world.policy.signed_bytes);
        if self.sent.body.is_some() && too_long {
            return Err("BODY_TOO_LARGE");
        }
        let unknown = |code| if code == INVALID { "INVALID_SIGNATURE" } else { code };
        let record = self.record(route, kid).map_err(unknown)?;
        let key = record.key;
        let told = |code| self.told(code, &record);
        // The signature stands in the secret's place.
        let unproved = if record.is_confirmed { "INVALID_SIGNATURE" } else { UNAVAILABLE };
        if key.signature != "only" {
            return Err(unproved);
        }
        let once = self.signature(&claimed, key).map_err(|code| match code {
            code if record.is_confirmed => code,
            _ => UNAVAILABLE,
        })?;
        let standing = self.standing(key);
        if standing == Err("REVOKED_API_KEY") {
            return standing;
        }
        standing.and_then(|()| self.rights(route, parameters, key)).map_err(told)?;
        self.leave(route, &record, once, meter)
    }

    fn leave(
        &self,
        route: &Route,
        record: &Record<'_>,
        once: Option<String>,
        meter: &mut Meter,
    ) -> Checked<()> {
        let (policy, key) = (&self.world.policy, record.key);
        let workspace = key.workspace();
        let limits = key.limits.or(key.tier.map(|tier| policy.tiers[tier].1));
        let is_edge = self.mode(route, workspace) == Mode::Edge;
        if once.is_some() && self.is_silent(workspace) {
            return Err(UNAVAILABLE);
        }
        // A request that is admitted once has its Workspace's word in every mode.
        let newest = self.world.keys.get(&key.kid);
        if once.is_some() && newest.is_some_and(|newest| newest.version > key.version) {
            let again = Case { is_settled: true, ..*self };
            return again.check(meter);
        }
        let degraded = !is_edge && self.is_silent(workspace);
        if degraded && !self.degrades(key) {
            return Err(UNAVAILABLE);
        }
        if (is_edge || degraded) && once.is_none() {
            let Some(limits) = limits else { return Ok(()) };
            let meter = meter.bursts.entry(key.kid.clone()).or_default();
            return if meter.bursts(limits, self.now) { Ok(()) } else { Err("RATE_LIMITED") };
        }
        let own = policy.workspaces.get(workspace);
        let mut claim = Claim { cost: route.cost, ..Claim::default() };
        claim.limits.extend(limits.map(|limits| (key.kid.clone(), limits)));
        let shared = own.and_then(|own| own.limits).or(policy.shared);
        claim.limits.extend(shared.map(|limits| (workspace.to_owned(), limits)));
        let budget = own.and_then(|own| own.budget).or(policy.budget);
        if let Some(at) = route.product {
            let (product, name) = (&policy.products[at], format!("{workspace} {at}"));
            claim.limits.extend(product.limits.map(|limits| (name.clone(), limits)));
            claim.budgets.extend(product.budget.map(|budget| (name, budget)));
        }
        claim.budgets.extend(budget.map(|budget| (workspace.to_owned(), budget)));
        claim.once = once.map(|mark| (key.kid.clone(), mark));
        meter.admit(&claim, self.now)
    }
}
