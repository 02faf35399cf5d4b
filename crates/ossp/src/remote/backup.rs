//! `ossp plug URL backup`: what can be given to a plug again (its settings, its calibration among them), and what its meter
//! counted, which cannot.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::{Value, json};

use super::capture::write;
use super::{Plug, SAFE_MODE, Trouble, at, note};
use crate::failure::Failure;
use crate::file::Readers;

/// What such a file says that it is, and its version.
pub(super) const FORMAT: &str = "ossp-backup";
pub(super) const VERSION: u64 = 1;

#[derive(Args, Clone, Debug)]
pub(super) struct Options {
    /// Where it goes; without it, to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(plug: &Plug, options: &Options) -> Result<(), Failure> {
    let settings = plug.get("/api/v1/settings")?;
    let energy = match plug.client.get("/api/v1/energy?days=62&months=62") {
        Ok(energy) => energy,
        Err(Trouble::Refused { code, .. }) if code == SAFE_MODE => Value::Null,
        Err(trouble) => return Err(plug.explain(trouble)),
    };
    let has_energy = !energy.is_null();
    let mut secrets = Vec::new();
    find_secrets("", &settings, &mut secrets);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let backup = json!({
        "format": FORMAT,
        "format_version": VERSION,
        "time": time,
        "plug": { "id": at(&plug.info, "/id"), "name": at(&plug.info, "/name"), "version": at(&plug.info, "/version"), "board": at(&plug.info, "/board") },
        "settings": settings,
        "energy": energy,
        "secrets_not_included": secrets,
    });
    let text = serde_json::to_string_pretty(&backup)
        .map_err(|error| Failure::failed(format!("the backup cannot be written ({error})")))?;
    // Names of networks, where it stands, what was used on each day.
    write(options.output.as_deref(), format!("{text}\n").as_bytes(), Readers::Owner)?;
    match secrets.as_slice() {
        [] => {}
        some => note(&format!("not in it, since a plug does not tell them: {}", some.join(", "))),
    }
    note("nor are the owner's password, tokens, the history (GET /api/v1/history?format=csv) and the trips");
    if !has_energy {
        note("nor is the energy: the plug is in safe mode, and does not look at it");
    }
    Ok(())
}

/// Paths of what is told only as "set".
pub(super) fn find_secrets(path: &str, value: &Value, found: &mut Vec<String>) {
    let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value.as_str() {
            Some("set") if is_secret(name) => found.push(inner(name)),
            _ => find_secrets(&inner(name), value, found),
        }),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| {
            find_secrets(&format!("{path}[{index}]"), value, found);
        }),
        _ => {}
    }
}

/// Whether a setting of this name is told only as "set". (A plug may be called that.)
pub(super) fn is_secret(name: &str) -> bool {
    name.ends_with("password") || name.ends_with("_key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_wherever_they_are() {
        let settings = json!({
            "device": { "name": "set" },
            "wifi": { "password": "set", "access_point_password": null, "more": [{ "ssid": "b", "password": "set" }] },
            "emoncms": { "write_key": "set", "read_key": null },
        });
        let mut found = Vec::new();
        find_secrets("", &settings, &mut found);
        found.sort();
        assert_eq!(found, ["emoncms.write_key", "wifi.more[0].password", "wifi.password"]);
    }
}
