//! `ossp plug URL ...`: talks to a plug over its network.

mod backup;
mod capture;
mod client;
mod digest;
mod place;
mod progress;
mod restore;
mod status;
mod update;

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use ureq::http::{Method, StatusCode};

use self::client::{Client, Secrets, Sent, Trouble};
use self::place::Place;
use crate::failure::Failure;
use crate::printable::printable;

/// The word of a plug that crashed again and again for what it does not do any more.
const SAFE_MODE: &str = "safe_mode";

/// Options of `ossp plug`.
#[derive(Args, Clone, Debug)]
pub struct PlugOptions {
    /// Where the plug is: http://192.0.2.7/, ossp-a1b2.local, 127.0.0.1:8080
    #[arg(value_name = "URL")]
    url: String,
    /// A token, instead of the password. Others on this machine may see it: the variable is safer
    #[arg(long, value_name = "TEXT", env = "OSSP_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The owner's password; asked for if it is needed and not given. The variable is safer
    #[arg(long, value_name = "TEXT", env = "OSSP_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Clone, Debug)]
enum Verb {
    /// Who it is, what it measures, how it stands with its network and its firmware
    Status {
        /// As the plug says it, one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Switches it on
    On(Switch),
    /// Switches it off
    Off(Switch),
    /// Installs another firmware (.ossp, or a bare image), and waits until it has proved itself
    Update(update::Options),
    /// Raw samples, as a recording that `ossp replay` and `ossp run --source` take
    Capture(capture::Options),
    /// Settings and calibration, as a file to keep; what the meter counted goes along to be read
    Backup(backup::Options),
    /// Gives a plug the settings of such a file
    Restore(restore::Options),
}

#[derive(Args, Clone, Debug)]
struct Switch {
    /// For so long; then it is as before
    #[arg(long = "for", value_name = "SECONDS", value_parser = for_seconds)]
    seconds: Option<f64>,
}

fn for_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds.is_finite() => Ok(seconds),
        _ => Err("a number of seconds over 0 is wanted".to_owned()),
    }
}

/// Does what is asked.
///
/// # Errors
/// If the plug cannot be reached, is none, does not let us or does not do it.
pub fn run(options: &PlugOptions) -> Result<(), Failure> {
    let place = Place::parse(&options.url)?;
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let secrets = Secrets { token: filled(&options.token), password: filled(&options.password) };
    let plug = Plug::find(Client::new(place, secrets))?;
    match &options.verb {
        Verb::Status { json } => status::run(&plug, *json),
        Verb::On(switch) => plug.switch(true, switch),
        Verb::Off(switch) => plug.switch(false, switch),
        Verb::Update(options) => update::run(&plug, options),
        Verb::Capture(options) => capture::run(&plug, options),
        Verb::Backup(options) => backup::run(&plug, options),
        Verb::Restore(options) => restore::run(&plug, options),
    }
}

/// A plug that said who it is.
struct Plug {
    client: Client,
    info: Value,
}

impl Plug {
    fn find(client: Client) -> Result<Self, Failure> {
        let info = client.meet()?;
        Ok(Self { client, info })
    }

    /// Something that it says of itself.
    fn word(&self, name: &str) -> String {
        printable(self.info.get(name).and_then(Value::as_str).unwrap_or_default())
    }

    /// Asks for what only newer plugs have.
    fn get(&self, path: &str) -> Result<Value, Failure> {
        self.client.get(path).map_err(|trouble| self.explain(trouble))
    }

    fn explain(&self, trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Refused { status: StatusCode::NOT_FOUND, .. } => Failure::failed(format!(
                "the firmware of {} ({}) is too old for this: it does not know what is asked of it",
                self.word("name"),
                self.word("version")
            )),
            trouble => trouble.into(),
        }
    }

    fn switch(&self, on: bool, switch: &Switch) -> Result<(), Failure> {
        let wish = match switch.seconds {
            Some(seconds) => json!({ "on": on, "for_s": seconds }),
            None => json!({ "on": on }),
        };
        let sent = Sent::Json(&wish);
        let relay =
            self.client.send(Method::PUT, "/api/v1/relay", sent).map_err(|error| self.explain(error))?;
        say(&format!("{} is {}\n", self.word("name"), status::switched(&relay)))?;
        if at(&relay, "/on") == on {
            return Ok(());
        }
        let reason = printable(at(&relay, "/reason").as_str().unwrap_or("it does not say why"));
        Err(Failure::failed(format!("{} does not follow: {reason}", self.word("name"))))
    }
}

/// What stands at a place in JSON; null where there is nothing.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    static NOTHING: Value = Value::Null;
    value.pointer(pointer).unwrap_or(&NOTHING)
}

/// A result, for standard output.
fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::failed(format!("standard output cannot be written ({error})")))
}

/// A line for people.
fn note(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "ossp: {}", printable(text));
}
