//! A list of public keys in JSON.

use alloc::vec::Vec;
use core::fmt::{Result as Written, Write};

use super::field;
use crate::json;
use crate::update::keys::{KEYS, Key};

/// What the list must be.
pub(super) const WANTED: &str =
    "a list of at most 4 different public keys, each 64 hexadecimal digits in small letters";

/// The list that `value` is; `None` if it is none.
pub(crate) fn read(value: &str) -> Option<Vec<Key>> {
    let (mut keys, mut good) = (Vec::new(), true);
    let whole = json::items(value, |item| match field::text(item).and_then(|text| Key::parse(&text)) {
        Some(key) if keys.len() < KEYS && !keys.contains(&key) => keys.push(key),
        _ => good = false,
    });
    (whole.is_ok() && good).then_some(keys)
}

/// Writes the list.
pub(crate) fn write(keys: &[Key], out: &mut dyn Write) -> Written {
    out.write_char('[')?;
    for (index, key) in keys.iter().enumerate() {
        write!(out, "{}\"{key}\"", if index > 0 { "," } else { "" })?;
    }
    out.write_char(']')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};
    use serde_json::{Value, json};

    fn key(digit: char) -> String {
        String::from(digit).repeat(64)
    }

    #[test]
    fn keys_are_read_and_written_as_they_are() {
        for keys in [json!([]), json!([key('0')]), json!([key('a'), key('1'), key('2'), key('f')])] {
            let read = read(&keys.to_string()).unwrap();
            let mut written = String::new();
            write(&read, &mut written).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), keys);
        }
    }

    #[test]
    fn what_is_no_list_of_keys_is_not_taken() {
        let many: Vec<_> = "01234".chars().map(key).collect();
        for keys in [
            json!(many),
            json!([key('a'), key('a')]),
            json!([key('A')]),
            json!([key('g')]),
            json!([&key('a')[..63]]),
            json!([format!("{}0", key('a'))]),
            json!([""]),
            json!([1]),
            json!([null]),
            json!(key('a')),
            json!({}),
        ] {
            assert_eq!(read(&keys.to_string()), None, "{keys}");
        }
    }
}
