//! `ossp plug URL restore`: gives a plug the settings of a backup, as far as they can be given.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::backup::{FORMAT, VERSION, find_secrets, is_secret};
use super::{Plug, Sent, Trouble, at, note, say};
use crate::failure::Failure;

/// How often the plug may refuse fields before it is given up: it names 16 at once.
const ATTEMPTS: usize = 8;
/// What belongs to a network that is joined.
const NETWORK: [&str; 4] = ["ssid", "hidden", "address", "more"];
/// Whose firmware is taken: no token changes that, and no old or foreign file by the way.
const FIRMWARE: [&str; 3] = ["accept", "keys", "retired"];
/// Why something is left out.
const NO_SECRET: &str = "of no use without the secret";
const NO_NETWORK: &str = "the backup has no network, and the plug would leave its own";
const NO_NAME: &str = "goes with wifi.ssid";
const NO_TOKEN: &str = "needs the password: no token may change it";
const NOT_ASKED: &str = "whose firmware is taken stays as it is; see --update-keys";

#[derive(Args, Clone, Debug)]
pub(super) struct Options {
    /// What `ossp plug URL backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Give a plug the calibration of another one, too: its hardware is another's, and it measures wrongly then
    #[arg(long)]
    foreign_calibration: bool,
    /// Give it, too, whose firmware it takes (update.accept, keys, retired): only from a file that you trust
    #[arg(long)]
    update_keys: bool,
}

pub(super) fn run(plug: &Plug, options: &Options) -> Result<(), Failure> {
    let file = options.file.display();
    let text = std::fs::read_to_string(&options.file)
        .map_err(|error| Failure::failed(format!("{file} cannot be read ({error})")))?;
    let backup: Value = serde_json::from_str(&text).unwrap_or_default();
    if at(&backup, "/format") != FORMAT || !at(&backup, "/settings").is_object() {
        return Err(Failure::failed(format!("{file} is no backup of a plug")));
    }
    if at(&backup, "/format_version").as_u64().is_none_or(|version| version > VERSION) {
        return Err(Failure::failed(format!(
            "{file} is of a newer ossp: this one does not know what it means"
        )));
    }
    let current = plug.get("/api/v1/settings")?;
    let (mut patch, mut left) = (difference(at(&backup, "/settings"), &current), Vec::new());
    leave_out_secrets(&mut patch, at(&backup, "/settings"), &current, &mut left);
    settle_networks(&mut patch, at(&backup, "/settings"), &current, &mut left);
    if at(&backup, "/plug/id") != at(&plug.info, "/id")
        && !options.foreign_calibration
        && patch.remove("calibration").is_some()
    {
        left.push("calibration (of another plug's hardware; see --foreign-calibration)".to_owned());
    }
    if !options.update_keys || plug.client.has_token() {
        let why = if options.update_keys { NO_TOKEN } else { NOT_ASKED };
        FIRMWARE.iter().for_each(|name| take_out(&mut patch, "update", name, why, &mut left));
    }
    let refused = give(plug, &mut patch)?;
    let given: usize = patch.values().map(|section| section.as_object().map_or(1, Map::len)).sum();
    say(&format!("{} settings restored, {} left out\n", given, left.len() + refused.len()))?;
    for what in left.iter().chain(&refused) {
        note(&format!("not restored: {what}"));
    }
    note("what the meter counted stays as it is: a meter cannot be set");
    if refused.is_empty() {
        return Ok(());
    }
    Err(Failure::failed("the plug does not take all of it; it may have other firmware".to_owned()))
}

fn field<'a>(settings: &'a Value, section: &str, name: &str) -> Option<&'a Value> {
    settings.get(section)?.get(name)
}

/// What of the settings is another than now, by section; without secrets.
fn difference(backup: &Value, current: &Value) -> Map<String, Value> {
    let mut patch = Map::new();
    for (section, fields) in backup.as_object().into_iter().flatten() {
        let mut other = Map::new();
        for (name, value) in fields.as_object().into_iter().flatten() {
            if !(is_secret(name) || field(current, section, name) == Some(value)) {
                other.insert(name.clone(), value.clone());
            }
        }
        if !other.is_empty() {
            patch.insert(section.clone(), other.into());
        }
    }
    patch
}

/// Leaves out what would not work without a secret that is not in the backup, and that the plug does not have.
fn leave_out_secrets(
    patch: &mut Map<String, Value>,
    backup: &Value,
    current: &Value,
    left: &mut Vec<String>,
) {
    let mut secrets = Vec::new();
    find_secrets("", backup, &mut secrets);
    for path in secrets {
        let Some((section, name)) = path.split_once('.') else { continue };
        // Those of the networks go with their names.
        let of_a_network = path == "wifi.password" || path.starts_with("wifi.more");
        if !of_a_network && field(current, section, name) != Some(&json!("set")) {
            left.push(format!("{path} (a secret)"));
            if section == "emoncms" && at(backup, "/emoncms/enabled") == true {
                take_out(patch, "emoncms", "enabled", NO_SECRET, left);
            }
        }
    }
}

/// The networks, the first one and the others, with the paths of their passwords.
fn networks(settings: &Value) -> Vec<(String, &Value)> {
    let more = at(settings, "/wifi/more").as_array().into_iter().flatten().enumerate();
    let more = more.map(|(index, network)| (format!("wifi.more[{index}].password"), network));
    std::iter::once(("wifi.password".to_owned(), at(settings, "/wifi"))).chain(more).collect()
}

/// The networks are given together or not at all, and never so that the plug cannot join: a password goes with the name of
/// its network.
fn settle_networks(patch: &mut Map<String, Value>, backup: &Value, current: &Value, left: &mut Vec<String>) {
    let known = networks(current);
    let has_password = |network: &Value| at(network, "/password") == "set";
    let is_known = |network: &Value| {
        known.iter().any(|(_, known)| has_password(known) && at(known, "/ssid") == at(network, "/ssid"))
    };
    let missing: Vec<_> = networks(backup)
        .into_iter()
        .filter(|(_, network)| has_password(network) && !is_known(network))
        .map(|(path, _)| format!("{path} (a secret)"))
        .collect();
    let given = |patch: &Map<String, Value>, name: &str| {
        patch.get("wifi").is_some_and(|fields| fields.get(name).is_some())
    };
    let lost = given(patch, "ssid") && at(backup, "/wifi/ssid") == "";
    let locked_out = !missing.is_empty() && (given(patch, "ssid") || given(patch, "more"));
    left.extend(missing);
    if lost || locked_out {
        let why = if lost { NO_NETWORK } else { NO_SECRET };
        NETWORK.iter().for_each(|name| take_out(patch, "wifi", name, why, left));
    }
    // Without a word of it the plug would keep the one that it has now, for a network that has another or none.
    if given(patch, "ssid")
        && (has_password(at(backup, "/wifi")) || has_password(at(current, "/wifi")))
        && let Some(fields) = patch.get_mut("wifi").and_then(Value::as_object_mut)
    {
        fields.insert("password".to_owned(), at(backup, "/wifi/password").clone());
    }
}

/// Takes a field out, if it is there, and says why.
fn take_out(patch: &mut Map<String, Value>, section: &str, name: &str, why: &str, left: &mut Vec<String>) {
    let Some(fields) = patch.get_mut(section).and_then(Value::as_object_mut) else { return };
    if fields.remove(name).is_some() {
        left.push(format!("{section}.{name} ({why})"));
    }
    if fields.is_empty() {
        patch.remove(section);
    }
}

/// Gives it to the plug, without the fields that it refuses: those, and why.
fn give(plug: &Plug, patch: &mut Map<String, Value>) -> Result<Vec<String>, Failure> {
    let mut refused = Vec::new();
    for _ in 0..ATTEMPTS {
        if patch.is_empty() {
            return Ok(refused);
        }
        let all = Value::Object(patch.clone());
        let trouble = match plug.client.send(Method::PATCH, "/api/v1/settings", Sent::Json(&all)) {
            Ok(_) => return Ok(refused),
            Err(trouble) => trouble,
        };
        let Trouble::Refused { body, .. } = &trouble else { return Err(trouble.into()) };
        let before = refused.len();
        for wrong in body.pointer("/error/fields").and_then(Value::as_array).into_iter().flatten() {
            let (Some(path), Some(why)) = (at(wrong, "/field").as_str(), at(wrong, "/message").as_str())
            else {
                continue;
            };
            // A part of a list takes the list with it.
            let name = |path: &str| path.split(['.', '[']).next().unwrap_or_default().to_owned();
            let (section, rest) = path.split_once('.').unwrap_or((path, ""));
            if patch.get(section).is_some_and(|fields| rest.is_empty() || fields.get(name(rest)).is_some()) {
                refused.push(format!("{path} {why}"));
                let mut dropped = Vec::new();
                match rest {
                    "" => drop(patch.remove(section)),
                    rest => take_out(patch, section, &name(rest), "", &mut dropped),
                }
                if path == "wifi.ssid" {
                    // Nor is what belongs to it given to the network that stays.
                    take_out(patch, "wifi", "password", "", &mut dropped);
                    NETWORK.iter().for_each(|name| take_out(patch, "wifi", name, NO_NAME, &mut refused));
                }
            }
        }
        if refused.len() == before {
            return Err(plug.explain(trouble));
        }
    }
    Err(Failure::failed("the plug refuses again and again; nothing was restored".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Value {
        json!({
            "schema": 1,
            "device": { "name": "Kettle" },
            "wifi": { "ssid": "Home", "password": "set", "hidden": true, "more": [], "access_point_password": "set", "access_point": "button" },
            "emoncms": { "enabled": true, "write_key": "set", "url": "http://e/" },
        })
    }

    #[test]
    fn what_is_as_it_was_is_not_given() {
        assert!(difference(&settings(), &settings()).is_empty());
        let mut other = settings();
        other["device"]["name"] = json!("");
        assert_eq!(Value::from(difference(&settings(), &other)), json!({ "device": { "name": "Kettle" } }));
    }

    #[test]
    fn a_network_without_its_password_is_not_given() {
        let mut fresh = settings();
        fresh["wifi"] = json!({ "ssid": "", "password": null, "hidden": false, "more": [], "access_point_password": "set", "access_point": "fallback" });
        fresh["emoncms"] = json!({ "enabled": false, "write_key": null, "url": "" });
        let (mut patch, mut left) = (difference(&settings(), &fresh), Vec::new());
        leave_out_secrets(&mut patch, &settings(), &fresh, &mut left);
        settle_networks(&mut patch, &settings(), &fresh, &mut left);
        assert_eq!(
            Value::from(patch),
            json!({ "wifi": { "access_point": "button" }, "emoncms": { "url": "http://e/" } })
        );
        let named: Vec<_> = left.iter().filter_map(|left| left.split(' ').next()).collect();
        assert_eq!(
            named,
            ["emoncms.write_key", "emoncms.enabled", "wifi.password", "wifi.ssid", "wifi.hidden"]
        );
        // The same network, whose password is still there.
        let mut same = settings();
        same["wifi"]["hidden"] = json!(false);
        let (mut patch, mut left) = (difference(&settings(), &same), Vec::new());
        leave_out_secrets(&mut patch, &settings(), &same, &mut left);
        settle_networks(&mut patch, &settings(), &same, &mut left);
        assert_eq!((Value::from(patch), left.len()), (json!({ "wifi": { "hidden": true } }), 0));
    }

    /// What is given of `wifi`, and the first words of what is not.
    fn of_networks(backup: &Value, current: &Value) -> (Value, Vec<String>) {
        let settings = |wifi: &Value| json!({ "wifi": wifi });
        let (backup, current) = (settings(backup), settings(current));
        let (mut patch, mut left) = (difference(&backup, &current), Vec::new());
        settle_networks(&mut patch, &backup, &current, &mut left);
        let first = |left: String| left.split(' ').next().unwrap_or_default().to_owned();
        (patch.remove("wifi").unwrap_or_default(), left.into_iter().map(first).collect())
    }

    #[test]
    fn a_password_goes_with_the_name_of_its_network() {
        let one = |ssid: &str, password: Option<&str>| json!({ "ssid": ssid, "password": password });
        let with = |mut first: Value, more: &[Value]| {
            first["more"] = json!(more);
            first
        };
        let set = Some("set");
        for (backup, current, given, left) in [
            // An open one needs none, and keeps none.
            (one("Cafe", None), one("", None), json!({ "ssid": "Cafe" }), &[][..]),
            (one("Cafe", None), one("Home", set), json!({ "ssid": "Cafe", "password": null }), &[]),
            // Without a network nobody would reach it any more.
            (one("", None), one("Home", set), json!(null), &["wifi.ssid"]),
            (one("", None), one("Cafe", None), json!(null), &["wifi.ssid"]),
            (one("Home", set), one("Home", None), json!(null), &["wifi.password"]),
            (one("Home", set), one("Office", set), json!(null), &["wifi.password", "wifi.ssid"]),
            // The plug knows both, in another order.
            (
                with(one("Home", set), &[one("Office", set)]),
                with(one("Office", set), &[one("Home", set)]),
                json!({ "ssid": "Home", "password": "set", "more": [one("Office", set)] }),
                &[],
            ),
            (
                with(one("Home", set), &[one("Cafe", None)]),
                with(one("Home", set), &[one("Cafe", set)]),
                json!({ "more": [one("Cafe", None)] }),
                &[],
            ),
            (
                with(one("Cafe", None), &[one("Home", set), one("Office", set)]),
                with(one("Home", set), &[]),
                json!(null),
                &["wifi.more[1].password", "wifi.ssid", "wifi.more"],
            ),
        ] {
            assert_eq!(
                of_networks(&backup, &current),
                (given, left.iter().map(|left| (*left).to_owned()).collect()),
                "{backup} over {current}"
            );
        }
    }
}
