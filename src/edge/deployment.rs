//! The deployment that a build and the Worker's secrets make.

use wasm_bindgen::JsValue;

use super::shim;
use crate::clock::Now;
use crate::gate::{Gate, Unfit};
use crate::json;
#[cfg(feature = "gate")]
use crate::policy::DocsUrl;
use crate::policy::{Document, Policy};

/// A deployment, if it is fit to decide.
pub(super) struct Deployment {
    gate: Result<Gate, Unfit>,
    /// The last millisecond at which unfitness was logged.
    logged: Option<u64>,
}

impl Deployment {
    /// By the policy and date of the build and the root, which `restart.mjs` has put into `env`;
    /// `environment` is the text of the environment keys.
    #[cold]
    pub(super) fn start(env: &JsValue, environment: &str) -> Self {
        let gate = policy(&shim::text(env, POLICY)).ok_or(Unfit::Policy).and_then(|policy| {
            let built = shim::text(env, BUILT).parse().unwrap_or(u64::MAX);
            Gate::new(policy, &shim::text(env, ROOT), environment, built)
        });
        Self { gate, logged: None }
    }

    /// The gate, whatever the time.
    #[cfg(feature = "gate")]
    pub(super) fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref().ok()
    }

    /// The page that explains codes.
    #[cfg(feature = "gate")]
    pub(super) fn docs(&self) -> Option<&str> {
        self.gate().and_then(|gate| gate.policy().docs.as_ref().map(DocsUrl::as_str))
    }

    /// The gate, if it is fit to decide now; else the cause is logged after `consequence`, at most once
    /// in ten seconds: every request has it.
    pub(super) fn fit(&mut self, consequence: &str, now: Now) -> Option<&Gate> {
        let fit = self.gate.as_ref().map_err(|unfit| *unfit);
        match fit.and_then(|gate| gate.fit_at(now).map(|()| gate)) {
            Ok(gate) => Some(gate),
            Err(unfit) => {
                if self.logged.is_none_or(|last| now.millis().abs_diff(last) >= LOG_MILLIS) {
                    self.logged = Some(now.millis());
                    shim::log(&format!("portcullis: {consequence}: {unfit}"));
                }
                None
            }
        }
    }
}

fn policy(text: &str) -> Option<Policy> {
    json::read::<Document>(text.as_bytes())?.try_into().ok()
}

const POLICY: &str = "POLICY";
const BUILT: &str = "BUILT";
const ROOT: &str = "PORTCULLIS_ROOT";
const LOG_MILLIS: u64 = 10_000;
