//! Where the server stands: what `GET input/get/NODE` says of the newest row, and what follows from it.

use crate::json;

use super::status::Conflict;

/// An input as the server has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Input {
    /// Unix seconds of the newest row that had it.
    pub time: u32,
    /// Its value then.
    pub value: f64,
}

/// What the server says of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// It has this input.
    Has(Input),
    /// There is no such node, or no such input in it, or it never had a value.
    HasNot,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The server has everything up to here.
    From(u32),
    /// The server lost what came after this: a backup was restored.
    Back(u32),
    /// The server knows nothing: the plug's own cursor counts.
    Unknown,
    /// What the server has does not go with the log: the plug's own cursor counts.
    Conflict(Conflict),
}

/// This is no answer to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoAnswer;

/// Reads the answer to `input/get/NODE` for one input.
///
/// # Errors
/// It is something else.
pub fn read(body: &str, input: &str) -> Result<Node, NoAnswer> {
    let body = body.trim();
    // A string instead of an object: the node does not exist.
    if body.starts_with('"') && body.ends_with('"') {
        return if body.contains("does not exist") { Ok(Node::HasNot) } else { Err(NoAnswer) };
    }
    let mut node = Node::HasNot;
    let mut refused = false;
    json::members(body, |name, value| {
        refused |= name == "success" && value == "false";
        if name == input
            && let Some(found) = read_input(value)
        {
            node = Node::Has(found);
        }
    })
    // PHP writes a list without anything in it as such.
    .or_else(|error| if body == "[]" { Ok(()) } else { Err(error) })
    .map_err(|_| NoAnswer)?;
    if refused { Err(NoAnswer) } else { Ok(node) }
}

/// `{"time":1700000000,"value":1,"processList":""}`.
fn read_input(text: &str) -> Option<Input> {
    let (mut time, mut value) = (None, None);
    json::members(text, |name, text| match name {
        "time" => time = number(text),
        "value" => value = number(text),
        _ => {}
    })
    .ok()?;
    let time = time.filter(|time| (1.0..f64::from(u32::MAX)).contains(time))?;
    Some(Input { time: time as u32, value: value? })
}

/// A number; also one that is written as a text, as databases do.
fn number(text: &str) -> Option<f64> {
    json::number(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text))
}

/// Whether two values are one after a way through the server: its feeds keep 24 bits, and a database without Redis shows
/// six digits.
fn same(server: f64, own: f64) -> bool {
    server as f32 == own as f32 || libm::fabs(server - own) <= 5e-6 * libm::fabs(own)
}

/// What follows from the server's state. The plug knows the server to have everything up to `cursor`, and can have sent
/// nothing newer than `limit`, but for a row `out_of_turn`; its own row at the server's time has the value `own`, if there
/// is one.
#[must_use]
pub fn judge(node: Node, cursor: u32, limit: u32, out_of_turn: Option<u32>, own: Option<f64>) -> Standing {
    let Node::Has(Input { time, value }) = node else { return Standing::Unknown };
    if time > cursor && out_of_turn == Some(time) {
        return Standing::Unknown;
    }
    if time > limit.max(cursor) {
        return Standing::Conflict(Conflict::Newer { server: time });
    }
    match own {
        Some(own) if !same(value, own) => Standing::Conflict(Conflict::OtherValue { server: time }),
        Some(_) if time >= cursor => Standing::From(time),
        // Further back than the log reaches there is nothing to compare with; what it has is sent again.
        _ if time < cursor => Standing::Back(time),
        // At the cursor itself the log may have forgotten the row.
        _ if time == cursor => Standing::From(time),
        // The plug never measured anything then.
        _ => Standing::Conflict(Conflict::OtherValue { server: time }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "{\"power\":{\"time\":1700000000,\"value\":1.5,\"processList\":\"1:2\"},\
                        \"energy\":{\"time\":\"1700000010\",\"value\":\"-2e3\",\"processList\":\"\"},\
                        \"new\":{\"time\":null,\"value\":null,\"processList\":\"\"}}";

    #[test]
    fn the_answer_about_a_node_is_read() {
        let has = |time, value| Ok(Node::Has(Input { time, value }));
        assert_eq!(read(NODE, "power"), has(1_700_000_000, 1.5));
        assert_eq!(read(NODE, "energy"), has(1_700_000_010, -2000.0));
        for (body, input) in [
            (NODE, "new"),
            (NODE, "voltage"),
            ("\"Node does not exist\"", "power"),
            ("{}", "power"),
            ("[]", "power"),
            ("{\"power\":1}", "power"),
            ("{\"power\":{\"time\":0,\"value\":1}}", "power"),
            ("{\"power\":{\"time\":-1,\"value\":1}}", "power"),
            ("{\"power\":{\"time\":1e10,\"value\":1}}", "power"),
        ] {
            assert_eq!(read(body, input), Ok(Node::HasNot), "{body} {input}");
        }
        for body in [
            "",
            "false",
            "\"Invalid API key\"",
            "<html>",
            "{\"success\":false,\"message\":\"x\"}",
            "{\"power\":{\"time\":1",
            "ok",
        ] {
            assert_eq!(read(body, "power"), Err(NoAnswer), "{body}");
        }
    }

    #[test]
    fn each_case_has_its_consequence() {
        let at = |time, value| Node::Has(Input { time, value });
        let (cursor, limit) = (1000, 2000);
        for (node, own, wanted) in [
            (Node::HasNot, None, Standing::Unknown),
            (at(1500, 7.0), Some(7.0), Standing::From(1500)),
            (at(2000, 7.0), Some(7.0), Standing::From(2000)),
            (at(1000, 7.0), Some(7.0), Standing::From(1000)),
            (at(1000, 7.0), None, Standing::From(1000)),
            (at(500, 7.0), Some(7.0), Standing::Back(500)),
            (at(500, 7.0), None, Standing::Back(500)),
            (at(500, 7.0), Some(8.0), Standing::Conflict(Conflict::OtherValue { server: 500 })),
            (at(1500, 7.0), Some(8.0), Standing::Conflict(Conflict::OtherValue { server: 1500 })),
            (at(1500, 7.0), None, Standing::Conflict(Conflict::OtherValue { server: 1500 })),
            (at(2001, 7.0), Some(7.0), Standing::Conflict(Conflict::Newer { server: 2001 })),
            (at(2001, 7.0), None, Standing::Conflict(Conflict::Newer { server: 2001 })),
        ] {
            assert_eq!(judge(node, cursor, limit, None, own), wanted, "{node:?} {own:?}");
        }
        // A test brought the newest row there, and nothing of what comes before it.
        assert_eq!(judge(at(1990, 7.0), cursor, limit, Some(1990), Some(7.0)), Standing::Unknown);
        assert_eq!(judge(at(1990, 7.0), cursor, limit, Some(1980), Some(7.0)), Standing::From(1990));
        // A log that lost its newest rows: the cursor is what is known.
        assert_eq!(judge(at(1000, 7.0), 1000, 900, None, None), Standing::From(1000));
    }

    #[test]
    fn values_are_compared_as_the_server_keeps_them() {
        for (server, own, wanted) in [
            (1_234_567.8, 1_234_567.89, true),
            (1_234_567.875, 1_234_567.89, true),
            (1_234_570.0, 1_234_567.89, true),
            (1_234_580.0, 1_234_567.89, false),
            (0.0, 0.0, true),
            (0.0, 1e-5, false),
            (-1.0, 1.0, false),
            (12.34, 12.34, true),
            (12.35, 12.34, false),
            (f64::NAN, 1.0, false),
        ] {
            assert_eq!(same(server, own), wanted, "{server} {own}");
        }
    }
}
