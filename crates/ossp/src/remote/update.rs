//! `ossp plug URL update`: sends a package, or has the firmware before started again, and stays until it is known which
//! firmware runs.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;
use ureq::http::Method;

use super::{Plug, Sent, Trouble, at, note, printable, progress, say};
use crate::failure::Failure;

/// How often the plug is asked how it is.
const LOOK: Duration = Duration::from_millis(500);
/// How long a plug may take until it is back after a restart, and until it has proved itself or gone back: it does so within
/// ten minutes, unless its network is off the air.
const BACK: Duration = Duration::from_secs(180);
const PROVED: Duration = Duration::from_secs(15 * 60);

#[derive(Args, Clone, Debug)]
pub(super) struct Options {
    /// A package (.ossp), or a bare image where the plug takes one
    #[arg(value_name = "FILE", required_unless_present = "back", conflicts_with = "back")]
    file: Option<PathBuf>,
    /// No file: the firmware in the other slot, as a rule the one before, is started again
    #[arg(long)]
    back: bool,
    /// An older version than the one that runs is meant
    #[arg(long)]
    allow_downgrade: bool,
    /// Do not wait for the restart
    #[arg(long)]
    no_wait: bool,
}

pub(super) fn run(plug: &Plug, options: &Options) -> Result<(), Failure> {
    let file = options.file.as_deref().map(open).transpose()?;
    let before = plug.get("/api/v1/update")?;
    if at(&before, "/running/slot").is_null() {
        return Err(Failure::failed(format!(
            "{} has only just started: try again in a moment",
            plug.word("name")
        )));
    }
    let version = match file {
        Some((file, length)) => {
            warn(&before);
            upload(plug, options, file, length)?
        }
        None => go_back(plug, options, &before)?,
    };
    if options.no_wait {
        return say(&format!("{version} was taken; the plug restarts into it\n"));
    }
    note(&format!("{version} was taken; the plug restarts into it"));
    wait(plug, &before, &version)
}

/// The file, and its length.
fn open(path: &Path) -> Result<(File, u64), Failure> {
    let name = path.display();
    let unreadable = |error| Failure::failed(format!("{name} cannot be read ({error})"));
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    if length == 0 { Err(Failure::failed(format!("{name} is empty"))) } else { Ok((file, length)) }
}

/// An update interrupts protection while the flash is erased.
fn warn(update: &Value) {
    if let (Some(load), Some(above)) =
        (at(update, "/load_current_a").as_f64(), at(update, "/warn_above_a").as_f64())
        && load > above
    {
        note(&format!(
            "{load:.1} A flow through the plug: protection is interrupted for moments while flash is erased"
        ));
    }
}

/// Where the plug is told what is wanted.
const fn path(options: &Options) -> &'static str {
    if options.allow_downgrade { "/api/v1/update?allow_downgrade=true" } else { "/api/v1/update" }
}

/// Has the plug start the firmware in its other slot; its version.
fn go_back(plug: &Plug, options: &Options, before: &Value) -> Result<String, Failure> {
    // From one on probation it goes to the one before in any case.
    let found = plug
        .client
        .send(Method::DELETE, path(options), Sent::Nothing)
        .map_err(|trouble| refused(plug, trouble))?;
    let version = at(&found, "/other/version").as_str().or_else(|| at(before, "/other/version").as_str());
    Ok(printable(version.unwrap_or("the firmware before")))
}

fn refused(plug: &Plug, trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Refused { code, message, .. } if code == "older_version" => {
            Failure::failed(format!("{message} If it is meant: --allow-downgrade"))
        }
        trouble => plug.explain(trouble),
    }
}

fn upload(plug: &Plug, options: &Options, file: File, length: u64) -> Result<String, Failure> {
    let path = path(options);
    let bar = progress::bytes("sending", length);
    let mut file = Watched { file, bar: bar.clone() };
    let sent = plug.client.send(Method::POST, path, Sent::File(&mut file, length));
    bar.finish_and_clear();
    let taken = sent.map_err(|trouble| refused(plug, trouble))?;
    Ok(printable(at(&taken, "/version").as_str().unwrap_or("the new firmware")))
}

/// Shows how much of a file was read.
struct Watched {
    file: File,
    bar: ProgressBar,
}

impl Read for Watched {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(bytes)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

/// How far a plug is that was given new firmware.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// Not there, or not restarted yet.
    Restarting,
    /// The new one runs, and may still go back.
    OnProbation(Option<u64>),
    /// The new one runs for good.
    Confirmed,
    /// The old one runs again, and why.
    WentBack(String),
}

/// What the plug's answer means. `started`: the slot of before had begun anew when it gave this answer, or the other one
/// had run; then nothing but the way back leads to it. (What it tells of the last update is the same for two failures of one
/// package, and shows only that nothing else was in between.)
fn stage(before: &Value, now: &Value, started: bool) -> Stage {
    let running = at(now, "/running");
    if at(running, "/slot") == at(before, "/running/slot") {
        let went_back = at(now, "/last/result") == "went_back";
        return if went_back && (started || at(now, "/last") != at(before, "/last")) {
            Stage::WentBack(printable(at(now, "/last/message").as_str().unwrap_or("it does not say why")))
        } else if started {
            Stage::WentBack("it was not started at all, or did not come far".to_owned())
        } else {
            Stage::Restarting
        };
    }
    match at(running, "/state").as_str() {
        Some("on_probation") => {
            Stage::OnProbation(at(running, "/probation/gives_up_in_s").as_f64().map(|left| left as u64))
        }
        Some(_) => Stage::Confirmed,
        // So early after its start it does not know itself which it is.
        None => Stage::Restarting,
    }
}

/// How far the plug is. `begin`: when the package was taken; `seen`: the new firmware was seen to run.
fn look(plug: &Plug, before: &Value, begin: Instant, seen: bool) -> Result<Stage, Trouble> {
    // In this order: whoever says that it has just started is, or was before, the one that answers next. The other way
    // round the old firmware might answer, restart, and the new one say so.
    let uptime = at(&plug.client.get("/api/v1/info")?, "/uptime_s").as_f64();
    let restarted = uptime.is_some_and(|uptime| uptime < begin.elapsed().as_secs_f64());
    Ok(stage(before, &plug.client.get("/api/v1/update")?, restarted || seen))
}

fn wait(plug: &Plug, before: &Value, version: &str) -> Result<(), Failure> {
    let (begin, mut seen) = (Instant::now(), false);
    let bar = progress::waiting("the plug restarts");
    let old = printable(at(before, "/running/version").as_str().unwrap_or("the firmware before it"));
    let ended = loop {
        sleep(LOOK);
        let stage = look(plug, before, begin, seen).unwrap_or_else(|_| {
            plug.client.look_again();
            Stage::Restarting
        });
        match stage {
            Stage::Restarting if !seen && begin.elapsed() > BACK => {
                break Err(format!("the plug does not come back; it may still go back to {old} by itself"));
            }
            Stage::Restarting if begin.elapsed() > PROVED => {
                break Err(format!("the plug is gone while {version} had to prove itself"));
            }
            Stage::Restarting => {}
            Stage::OnProbation(_) if begin.elapsed() > PROVED => {
                break Err(format!("{version} runs, and has not proved itself yet"));
            }
            Stage::OnProbation(left) => {
                if !std::mem::replace(&mut seen, true) {
                    note(&format!("{version} runs, on probation"));
                }
                let left = left.map_or(String::new(), |left| format!(", for {left} s at most"));
                bar.set_message(format!("{version} proves itself{left}"));
            }
            Stage::Confirmed => break Ok(()),
            Stage::WentBack(why) => {
                break Err(format!("{version} did not prove itself, {old} runs again: {why}"));
            }
        }
    };
    bar.finish_and_clear();
    ended.map_err(Failure::failed)?;
    say(&format!("{version} runs and is confirmed\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn update(slot: u8, state: &str, result: Option<&str>) -> Value {
        json!({
            "running": { "slot": slot, "version": "1", "state": state, "probation": { "gives_up_in_s": 590.5 } },
            "last": result.map(|result| json!({ "result": result, "message": "It crashed.", "uptime_s": 1.0 })),
        })
    }

    #[test]
    fn a_plug_is_followed_through_an_update() {
        let before = update(0, "confirmed", None);
        for (now, started, wanted) in [
            (update(0, "confirmed", None), false, Stage::Restarting),
            (update(0, "confirmed", Some("activated")), false, Stage::Restarting),
            (update(1, "on_probation", Some("activated")), true, Stage::OnProbation(Some(590))),
            (update(1, "confirmed", Some("confirmed")), true, Stage::Confirmed),
            (update(0, "confirmed", Some("went_back")), false, Stage::WentBack("It crashed.".to_owned())),
            (json!({ "running": null, "last": null }), true, Stage::Restarting),
        ] {
            assert_eq!(stage(&before, &now, started), wanted, "{now}");
        }
        let never = stage(&before, &update(0, "confirmed", Some("confirmed")), true);
        assert!(matches!(never, Stage::WentBack(why) if why.contains("not started at all")));
        // What is told of an earlier one says nothing, before the plug has started anew.
        let before = update(0, "confirmed", Some("went_back"));
        assert_eq!(stage(&before, &before, false), Stage::Restarting);
        assert_eq!(stage(&before, &before, true), Stage::WentBack("It crashed.".to_owned()));
    }
}
