//! `input/post` and `input/bulk`: what is stored of which body, and what is refused with which sentence.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::account::Account;
use super::form::Fields;
use super::php::{self, Json};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is stored.
    Stored,
    /// Refused with a sentence; what stood before in a bulk body is stored.
    Refused(String),
    /// PHP gave up; what stood before in a bulk body is stored.
    Fatal,
}

const NO_JSON: &str = "Format error, json string supplied is not valid";

fn refused(sentence: &str) -> Outcome {
    Outcome::Refused(sentence.to_owned())
}

/// `input/post`; `node_in_path` is what stands behind it in the path.
pub fn post(account: &mut Account, fields: &Fields, node_in_path: Option<&str>, now: f64) -> Outcome {
    let node = node_in_path.map(str::to_owned).or_else(|| fields.text("node")).unwrap_or_default();
    let node = php::kept_name(&node);
    let node = if node.is_empty() { "0" } else { node.as_str() };
    let field_time = fields.text("time").map(|time| php::time_of(&time, php::cut(now)));
    let tags = ["json", "fulljson", "csv", "data"];
    let data = tags.iter().find_map(|tag| fields.text(tag)).unwrap_or_default();
    if data.is_empty() {
        return refused("Request contains no data via csv, json or data tag");
    }
    let read = if fields.has("fulljson") {
        full_json(&data, php::cut(now))
    } else {
        pairs(&data).map(|values| (None, values))
    };
    match read {
        Err(sentence) => refused(sentence),
        Ok((json_time, values)) => {
            let time = field_time.or(json_time).unwrap_or(php::cut(now));
            stored(account.store(now, time, node, &values))
        }
    }
}

fn stored(result: Result<(), String>) -> Outcome {
    match result {
        Ok(()) => Outcome::Stored,
        Err(sentence) => Outcome::Refused(sentence),
    }
}

type Values = Vec<(String, f64)>;

/// One flat object: its time, if it has one, and its values.
fn full_json(data: &str, now: i64) -> Result<(Option<i64>, Values), &'static str> {
    let refusal = "Input in not a valid JSON object";
    let Some(Json::Object(members)) = Json::parse(data.as_bytes()) else { return Err(refusal) };
    if members.iter().any(|(_, value)| matches!(value, Json::List(_) | Json::Object(_))) {
        return Err(refusal);
    }
    let time = members.iter().rfind(|(name, _)| name.eq_ignore_ascii_case("time"));
    let time = time.map(|(_, value)| match value {
        Json::Number(number) => php::cut(*number),
        Json::Text(text) => php::time_of(text, now),
        _ => now,
    });
    let values = members.iter().filter(|(name, _)| name != "time");
    Ok((time, values.map(|(name, value)| (name.clone(), value.float())).collect()))
}

/// `json`, `csv` and `data` are read alike: `name:value` or only values, which are named 1, 2, ...
fn pairs(data: &str) -> Result<Values, &'static str> {
    let kept: String = data
        .chars()
        .filter(|c| matches!(c, ':' | ',') || !php::kept_name(&c.to_string()).is_empty())
        .collect();
    let (mut values, mut position) = (Vec::new(), 0);
    for pair in kept.split(',') {
        let mut parts = pair.split(':');
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let number = second.unwrap_or(first);
        if second.is_some() && first.is_empty() {
            return Err("Format error, json key missing or invalid character");
        }
        if !php::is_numeric(number) && number != "null" {
            return Err(match second {
                Some(_) => "Format error, json value is not numeric",
                None => "Format error: csv value is not numeric",
            });
        }
        let name = if second.is_some() {
            first.to_owned()
        } else {
            position += 1;
            position.to_string()
        };
        values.push((name, php::leading_number(number)));
    }
    Ok(values)
}

/// `input/bulk`; `body` is the raw one, for `cb`.
pub fn bulk(account: &mut Account, fields: &Fields, body: &[u8], now: f64) -> Outcome {
    let Some(data) = bulk_data(fields, body) else {
        return refused("Format error, compressed hex not valid");
    };
    let rows = match Json::parse(&data) {
        Some(Json::List(rows)) if !rows.is_empty() => rows,
        None | Some(Json::Null | Json::Bool(false) | Json::List(_)) => return refused(NO_JSON),
        Some(Json::Number(0.0)) => return refused(NO_JSON),
        Some(Json::Text(text)) if text.is_empty() => return refused(NO_JSON),
        Some(_) => return Outcome::Fatal,
    };
    let last = match rows.last() {
        Some(Json::List(items)) => items.first().filter(|first| **first != Json::Null).map(Json::int),
        Some(Json::Object(_)) => return Outcome::Fatal,
        Some(Json::Text(text)) if !text.is_empty() => Some(php::cut(php::leading_number(text))),
        _ => None,
    };
    let Some(last) = last else {
        return refused("Format error, last item in bulk data does not contain any data");
    };
    let base = time_base(fields, last, php::cut(now));
    for (index, row) in rows.iter().enumerate() {
        if account.limits.rows.is_some_and(|rows| index >= rows) {
            return Outcome::Fatal;
        }
        match bulk_row(row) {
            Row::Skipped => {}
            Row::Fatal => return Outcome::Fatal,
            Row::Refused(sentence) => return refused(sentence),
            Row::Values { time, node, values } => {
                if let Err(sentence) = account.store(now, base.saturating_add(time), &node, &values) {
                    return Outcome::Refused(sentence);
                }
            }
        }
    }
    Outcome::Stored
}

/// The JSON text; `None` if the hex is none. What cannot be decompressed is no JSON later.
fn bulk_data(fields: &Fields, body: &[u8]) -> Option<Vec<u8>> {
    if fields.has("cb") {
        return Some(inflated(body).unwrap_or_default());
    }
    let data = fields.bytes("data").unwrap_or_default().to_vec();
    if !fields.has("c") {
        return Some(data);
    }
    let packed = hex(&data).filter(|packed| !packed.is_empty())?;
    Some(inflated(&packed).unwrap_or_default())
}

/// What zlib made of it.
#[must_use]
pub fn inflated(packed: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    ZlibDecoder::new(packed).read_to_end(&mut data).ok()?;
    Some(data)
}

/// Bytes from hex digits.
#[must_use]
pub fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let text = core::str::from_utf8(digits).ok()?;
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// What row times are counted from; the first of the fields that is there decides.
fn time_base(fields: &Fields, last: i64, now: i64) -> i64 {
    let field = |name| fields.text(name).map(|text| php::cut(php::leading_number(&text)));
    if let Some(sent_at) = field("sentat") {
        now.saturating_sub(sent_at)
    } else if let Some(offset) = field("offset") {
        now.saturating_sub(offset)
    } else if let Some(time) = field("time") {
        time
    } else {
        now.saturating_sub(last)
    }
}

enum Row {
    Values { time: i64, node: String, values: Values },
    Skipped,
    Refused(&'static str),
    Fatal,
}

fn bulk_row(row: &Json) -> Row {
    let Json::List(items) = row else { return Row::Fatal };
    let [time, node, rest @ ..] = items.as_slice() else { return Row::Skipped };
    if rest.is_empty() {
        return Row::Skipped;
    }
    let node = match node {
        Json::Object(_) => return Row::Refused("Format error, node must not be an object"),
        Json::List(_) => return Row::Fatal,
        Json::Null | Json::Bool(false) => "0".to_owned(),
        Json::Bool(true) => "1".to_owned(),
        Json::Number(number) => php::printed(*number),
        Json::Text(text) => text.clone(),
    };
    let (mut values, mut position) = (Vec::new(), 1);
    for item in rest {
        match item {
            // A position counts only what is no object.
            Json::Object(members) => {
                values.extend(members.iter().map(|(name, value)| (name.clone(), value.float())));
            }
            Json::List(list) if !list.is_empty() => return Row::Fatal,
            value => {
                values.push((position.to_string(), value.float()));
                position += 1;
            }
        }
    }
    Row::Values { time: time.int(), node, values }
}
