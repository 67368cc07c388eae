//! The command line of every build, run and test step.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::exit;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};

use xtask::checkout::{self, Checkout};
use xtask::conformance::deployed;
use xtask::issuer::{self, Issuer};
use xtask::serve::Serve;
use xtask::{bench, deny, fuzz, guard, npm, prove, serve, test, threats, tools, vectors, worker};

#[derive(Parser)]
#[command(about = "Every build, run and test step of Portcullis.", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the product: install what is missing, build, seed a demo workspace and serve it.
    Dev {
        /// Port of the gate.
        #[arg(long, default_value_t = 8787)]
        port: u16,
        /// URL of the origin, without a path [default: a demo origin].
        #[arg(long)]
        origin: Option<String>,
        /// Where you receive webhooks on this machine, `127.0.0.1:9000`; their URL is http://hooks.localhost
        #[arg(long)]
        receiver: Option<SocketAddr>,
        /// Forget keys and rows of earlier runs (the root secret stays).
        #[arg(long)]
        fresh: bool,
        /// Print one line of JSON once it answers, and nothing else, on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Serve the built Workers on plain workerd, for tests.
    Workerd {
        /// Port of the first gate; the others follow.
        #[arg(long, default_value_t = 8787)]
        port: u16,
        /// Number of gates, each an isolate; they share KV and Durable Objects.
        #[arg(long, default_value_t = 1)]
        isolates: u16,
        /// URL of the origin, without a path [default: a demo origin].
        #[arg(long)]
        origin: Option<String>,
        /// Folder for what outlives the run [default: .portcullis/workerd-state].
        #[arg(long)]
        state: Option<PathBuf>,
        /// Empty that folder first.
        #[arg(long)]
        fresh: bool,
        /// Let faults of KV and of the origin be set over the port before the first.
        #[arg(long)]
        chaos: bool,
        /// Build the Workers with this policy instead of policy.toml.
        #[arg(long)]
        policy: Option<PathBuf>,
        /// Print one line of JSON once it answers, and nothing else, on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Serve the development issuer alone: anybody is whom they choose to be.
    Issuer {
        /// Its port.
        #[arg(long, default_value_t = issuer::PORT)]
        port: u16,
        /// Folder for its key [default: .portcullis/dev-state].
        #[arg(long)]
        state: Option<PathBuf>,
    },
    /// Report the key on standard input as leaked, signed by the development issuer.
    Leak {
        /// Address of the gate.
        #[arg(long, default_value = "127.0.0.1:8787")]
        gate: SocketAddr,
        /// Folder of the issuer's key [default: .portcullis/dev-state].
        #[arg(long, env = "PORTCULLIS_DEV_STATE")]
        state: Option<PathBuf>,
    },
    /// Build the Workers that are deployed, into build/.
    Build,
    /// Make the npm package, into npm/dist, and pack it.
    Npm,
    /// Run every check, or those named.
    Test {
        /// Names of steps.
        steps: Vec<String>,
        /// Go on after a step that fails.
        #[arg(long)]
        keep_going: bool,
    },
    /// Play the conformance cases before a gate that is deployed: docs/testing.md.
    Deployed {
        /// https://HOST
        #[arg(long)]
        url: String,
        /// The authority that its certificate is of, in PEM [default: those of this machine].
        #[arg(long, conflicts_with = "prepare")]
        ca: Option<PathBuf>,
        /// Write what is to be deployed there into .portcullis/deployed instead.
        #[arg(long, requires = "namespace")]
        prepare: bool,
        /// The id of the KV namespace that it gets.
        #[arg(long, requires = "prepare")]
        namespace: Option<String>,
    },
    /// Write docs/openapi.json, the document of the management API
    Openapi,
    /// Write tests/vectors/world.json and those of signatures, and docs/traceability.md, anew.
    Vectors,
    /// Check licences, sources and advisories of all crates.
    Deny,
    /// Print the performance table.
    Bench {
        /// Turns of every contender.
        #[arg(long, default_value_t = bench::FULL.rounds)]
        rounds: usize,
        /// Seconds of load a turn.
        #[arg(long, default_value_t = bench::FULL.seconds)]
        seconds: f64,
        /// Of policies with few and with many routes alone.
        #[arg(long)]
        routes: bool,
    },
    /// Run the full size of a bar that has a small size in `test`.
    Prove {
        /// Which [default: all].
        bar: Option<String>,
        /// The size of a test run instead; nothing is recorded.
        #[arg(long)]
        small: bool,
        /// Run nothing: fail if what is recorded is of other sources, or does not hold.
        #[arg(long, conflicts_with = "small")]
        check: bool,
    },
    /// Try random texts against the properties of fuzz/, going on from what earlier runs found.
    Fuzz {
        /// Which target [default: all].
        target: Option<String>,
        /// Texts for each.
        #[arg(long, default_value_t = 10_000_000)]
        runs: u64,
        /// Seconds for each, at most.
        #[arg(long, default_value_t = 86_400)]
        seconds: u64,
    },
    /// Load a URL with GETs by the bench's own load generator.
    Load {
        /// http://ADDRESS:PORT/target
        url: String,
        /// Connections, each with one request under way.
        #[arg(long, default_value_t = 8)]
        connections: usize,
        /// Seconds.
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
        /// A header line.
        #[arg(short = 'H')]
        header: Vec<String>,
    },
    #[command(hide = true)]
    Guard {
        #[arg(last = true)]
        program: Vec<String>,
    },
}

fn main() {
    match run(Arguments::parse().task) {
        Ok(code) => exit(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            exit(1);
        }
    }
}

fn run(task: Task) -> Result<i32> {
    if let Task::Guard { program } = task {
        return guard::run(&program);
    }
    let checkout = Checkout::find()?;
    match task {
        Task::Dev { port, origin, receiver, fresh, json } => {
            ensure!(
                receiver.is_none_or(|own| own.ip().is_loopback()),
                "--receiver: an address of this machine, 127.0.0.1:PORT"
            );
            let state = checkout.private("dev-state")?;
            let dev = Serve { origin, receiver, fresh, ..Serve::dev(port, state) };
            return serve::serve(&checkout, &dev, json);
        }
        Task::Workerd { port, isolates, origin, state, fresh, chaos, policy, json } => {
            let state = state.map_or_else(|| checkout.private("workerd-state"), Ok)?;
            let serve = Serve::dev(port, state);
            let workerd = Serve { isolates, origin, fresh, chaos, policy, issuer: 0, ..serve };
            return serve::serve(&checkout, &workerd, json);
        }
        Task::Issuer { port, state } => {
            let state = state.map_or_else(|| checkout.private("dev-state"), Ok)?;
            checkout::private_dir(&state)?;
            let issuer = Issuer::start(port, &state)?;
            println!("The development issuer answers at {}.\nCtrl-C ends it.", issuer.url());
            issuer.wait();
        }
        Task::Leak { gate, state } => {
            let state = state.map_or_else(|| checkout.private("dev-state"), Ok)?;
            let text = std::io::read_to_string(std::io::stdin())?;
            let key = issuer::signing_key(&state)?;
            let reply = issuer::scanner::report(gate, &key, &[text.trim()])?;
            println!("{} {}", reply.status, reply.text());
            ensure!(reply.status == 200, "the report was refused");
        }
        Task::Npm => {
            tools::ensure_present(&checkout, tools::BUILD)?;
            npm::build(&checkout)?;
        }
        Task::Build => {
            tools::ensure_present(&checkout, tools::BUILD)?;
            worker::build(&checkout, &worker::Flavour::Production)?;
        }
        Task::Test { steps, keep_going } => test::test(&checkout, &steps, keep_going)?,
        Task::Fuzz { target, runs, seconds } => {
            fuzz::fuzz(&checkout, target.as_deref(), fuzz::Length { runs, seconds })?;
        }
        Task::Vectors => {
            vectors::write(&checkout)?;
            threats::write(&checkout)?;
        }
        Task::Openapi => {
            let document: serde_json::Value =
                serde_json::from_str(portcullis::management::openapi::document())?;
            let text = serde_json::to_string_pretty(&document)?;
            std::fs::write(checkout.path("docs/openapi.json"), format!("{text}\n"))?;
        }
        Task::Deployed { url, namespace: Some(namespace), .. } => {
            tools::ensure_present(&checkout, tools::BUILD)?;
            deployed::prepare(&checkout, &url, &namespace)?;
        }
        Task::Deployed { url, ca, .. } => deployed::run(&checkout, &url, ca.as_deref())?,
        Task::Deny => deny::check(&checkout)?,
        Task::Bench { rounds, seconds, routes } => {
            let bench = if routes { bench::bench_routes } else { bench::bench };
            bench(&checkout, bench::Size { rounds, seconds })?;
        }
        Task::Prove { bar, check: true, .. } => prove::check_recorded(&checkout, bar.as_deref())?,
        Task::Prove { bar, small, .. } => prove::prove(&checkout, bar.as_deref(), small)?,
        Task::Load { url, connections, seconds, header } => {
            bench::load(&url, connections, seconds, &header)?;
        }
        Task::Guard { .. } => {}
    }
    Ok(0)
}
