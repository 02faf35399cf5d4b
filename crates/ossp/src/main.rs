//! The `ossp` program: the virtual plug and the command-line tools.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use ossp::discover::{self, DiscoverOptions};
use ossp::failure::Failure;
use ossp::pack::{self, ImageOptions, KeygenOptions, SignOptions, VerifyOptions};
use ossp::provision::{self, ProvisionOptions};
use ossp::remote::{self, PlugOptions};
use ossp::replay::{self, ReplayOptions};
use ossp::run::{self, RunOptions};
use ossp::stand_in::server::{self, StandInOptions};

/// OSSP, the Open Source Smart Plug, on a PC.
///
/// Without a subcommand the virtual plug runs (`ossp run`).
#[derive(Parser)]
#[command(name = "ossp", version, args_conflicts_with_subcommands = true)]
struct Program {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    options: RunOptions,
}

#[derive(Subcommand)]
enum Command {
    /// The virtual plug: measures a simulated load or a recording and serves its page
    Run(RunOptions),
    /// Recordings through the same metering code, as fast as it goes
    Replay(ReplayOptions),
    /// Which plugs there are on this machine's networks
    Discover(DiscoverOptions),
    /// Talks to a plug: status, on, off, update, capture, backup, restore
    Plug(PlugOptions),
    /// A stand-in for Emoncms: shows what a plug sends, and fails on purpose if asked to
    StandIn(StandInOptions),
    /// A pair of keys to sign firmware with
    Keygen(KeygenOptions),
    /// Makes a package of an image and signs it
    Sign(SignOptions),
    /// Says everything about a package, and whether it is good
    Verify(VerifyOptions),
    /// An image for the virtual plug, to try updates with
    Image(ImageOptions),
    /// Settings and an owner as an image to flash beside the firmware: for a classroom full of plugs
    Provision(ProvisionOptions),
}

fn main() -> ExitCode {
    let program = Program::parse();
    let done: Result<(), Failure> = match program.command {
        None => run::run(&program.run.options),
        Some(Command::Run(options)) => run::run(&options),
        Some(Command::Replay(options)) => replay::replay(&options),
        Some(Command::Discover(options)) => discover::run(&options),
        Some(Command::Plug(options)) => remote::run(&options),
        Some(Command::StandIn(options)) => server::run(&options),
        Some(Command::Keygen(options)) => pack::keygen(&options),
        Some(Command::Sign(options)) => pack::sign(&options),
        Some(Command::Verify(options)) => pack::verify(&options),
        Some(Command::Image(options)) => pack::make(&options),
        Some(Command::Provision(options)) => provision::provision(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // The one place where errors are printed.
            let _ = writeln!(std::io::stderr(), "ossp: {failure}");
            ExitCode::from(failure.status)
        }
    }
}
