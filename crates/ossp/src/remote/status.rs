//! `ossp plug URL status`.

use serde_json::{Value, json};
use ureq::http::StatusCode;

use super::{Plug, SAFE_MODE, Trouble, at, printable, say};
use crate::failure::Failure;
use crate::printable::printable_json;

pub(super) fn run(plug: &Plug, as_json: bool) -> Result<(), Failure> {
    // Asked first: a plug in safe mode answers it too. Older ones do not know it.
    let update = optional(plug, "/api/v1/update", |_| true)?;
    let relay = optional(plug, "/api/v1/relay", |code| code == SAFE_MODE)?;
    // Whoever could ask for these is known by now: this has all fields.
    let info = plug.get("/api/v1/info")?;
    // Before the first window there is no reading.
    let [reading, energy, wifi] = ["reading", "energy", "wifi"]
        .map(|name| plug.client.get(&format!("/api/v1/{name}")).unwrap_or_default());
    if as_json {
        let all = json!({
            "info": info, "relay": relay, "reading": reading, "energy": energy, "wifi": wifi, "update": update,
        });
        return say(&(printable_json(&all) + "\n"));
    }
    let lines = [
        ("plug", who(plug, &info)),
        ("relay", if relay.is_null() { "open: safe mode".to_owned() } else { switched(&relay) }),
        ("now", if relay.is_null() { "nothing is measured".to_owned() } else { measured(&reading) }),
        ("energy", counted(&energy)),
        ("network", network(&wifi)),
        ("firmware", firmware(&info, &update)),
        ("up", up(&info)),
    ];
    say(&lines.map(|(name, text)| format!("{name:<9} {text}\n")).concat())
}

/// What a plug may have reasons not to tell: null where it refuses with one that is `expected`.
fn optional(plug: &Plug, path: &str, expected: fn(&str) -> bool) -> Result<Value, Failure> {
    match plug.client.get(path) {
        Ok(value) => Ok(value),
        Err(Trouble::Refused { status, code, .. })
            if status != StatusCode::UNAUTHORIZED && expected(&code) =>
        {
            Ok(Value::Null)
        }
        Err(trouble) => Err(plug.explain(trouble)),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.pointer(name).and_then(Value::as_str)
}

fn number(value: &Value, name: &str) -> Option<f64> {
    value.pointer(name).and_then(Value::as_f64)
}

fn who(plug: &Plug, info: &Value) -> String {
    let owner = if at(info, "/setup_complete") == false { "; nobody owns it yet" } else { "" };
    format!("{}, {}, id {}{owner}", plug.word("name"), plug.word("board"), plug.word("id"))
}

/// On or off, and why.
pub(super) fn switched(relay: &Value) -> String {
    let on = if at(relay, "/on") == true { "on" } else { "off" };
    let reason = text(relay, "/reason").map_or(String::new(), |reason| format!(" ({})", printable(reason)));
    let left = number(relay, "/remaining_s").map_or(String::new(), |left| format!(", for {left:.0} s more"));
    format!("{on}{reason}{left}")
}

fn measured(reading: &Value) -> String {
    let Some(power) = number(reading, "/active_power_w") else { return "nothing measured yet".to_owned() };
    let one = |name: &str, digits: usize, unit: &str| {
        number(reading, name).map_or(format!("- {unit}"), |value| format!("{value:.digits$} {unit}"))
    };
    let flags: Vec<_> =
        at(reading, "/quality").as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let flags = if flags.is_empty() { String::new() } else { format!(" [{}]", printable(&flags.join(", "))) };
    format!(
        "{power:.1} W, {}, {}, {}, power factor {}{flags}",
        one("/voltage_v", 1, "V"),
        one("/current_a", 3, "A"),
        one("/frequency_hz", 2, "Hz"),
        number(reading, "/power_factor").map_or("-".to_owned(), |factor| format!("{factor:.2}")),
    )
}

fn counted(energy: &Value) -> String {
    let kwh = |name: &str| number(energy, name).map(|energy| energy / 1000.0);
    match (kwh("/energy_import_wh"), kwh("/energy_export_wh")) {
        (Some(import), Some(export)) => format!("{import:.3} kWh consumed, {export:.3} kWh delivered"),
        _ => "unknown".to_owned(),
    }
}

fn network(wifi: &Value) -> String {
    let name = text(wifi, "/mdns").map_or(String::new(), |name| format!(", {}", printable(name)));
    match (text(wifi, "/state"), text(wifi, "/ssid")) {
        (Some("joined"), Some(ssid)) => {
            let signal = number(wifi, "/signal_dbm").map_or(String::new(), |dbm| format!(", {dbm:.0} dBm"));
            let address = text(wifi, "/address").unwrap_or("no address");
            format!("\"{}\" as {}{signal}{name}", printable(ssid), printable(address))
        }
        (Some(state), _) => {
            let why = text(wifi, "/last_error_message")
                .map_or(String::new(), |why| format!(": {}", printable(why)));
            format!("{}{why}", printable(&state.replace('_', " ")))
        }
        (None, _) => format!("no radio{name}"),
    }
}

fn firmware(info: &Value, update: &Value) -> String {
    let version = printable(text(info, "/version").unwrap_or("unknown"));
    let state = text(update, "/running/state")
        .map_or(String::new(), |state| format!(", {}", state.replace('_', " ")));
    let safe = if at(update, "/safe_mode") == true { "; SAFE MODE: it crashed again and again" } else { "" };
    printable(&format!("{version}{state}{safe}"))
}

fn up(info: &Value) -> String {
    let seconds = number(info, "/uptime_s").unwrap_or_default() as u64;
    let since = match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    };
    let reason = text(info, "/reset_reason").unwrap_or("unknown").replace('_', " ");
    format!("{since}; started because of: {}", printable(&reason))
}
