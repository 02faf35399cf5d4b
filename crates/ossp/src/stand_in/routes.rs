//! Who may, and which request leads where: the order of Emoncms' own doors.

use super::StandIn;
use super::account::Account;
use super::answer::{Answer, HTML, PLAIN};
use super::encrypted;
use super::fault::Fault;
use super::form::Fields;
use super::input::{self, Outcome};
use super::php::{self, Json};
use super::request::Request;

/// PHP's `post_max_size`: over it the fields of a body just go missing.
const BODY_MOST: usize = 8 * 1024 * 1024;

/// What a session may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    Nobody,
    Reads,
    Writes,
}

/// The way behind the base: `input/post.json` is `["input", "post"]`.
struct Way<'a> {
    controller: &'a str,
    action: &'a str,
    sub_action: Option<String>,
    sub_action_2: Option<String>,
}

fn way<'a>(base: &str, path: &'a str) -> Option<Way<'a>> {
    let path = path.strip_prefix(base)?.strip_prefix('/')?;
    let path = path.strip_suffix(".json").unwrap_or(path);
    let mut parts = path.split('/');
    let decoded = |part: &str| {
        let text = String::from_utf8_lossy(&super::form::decode(part.as_bytes())).into_owned();
        (!text.is_empty()).then_some(text)
    };
    Some(Way {
        controller: parts.next().unwrap_or_default(),
        action: parts.next().unwrap_or_default(),
        sub_action: parts.next().and_then(decoded),
        sub_action_2: parts.next().and_then(decoded),
    })
}

/// The fields of a request as it is read: the query, over it the body, over both an encrypted body.
#[must_use]
pub(super) fn fields(account: &Account, request: &Request) -> Fields {
    let fields = sent_fields(request);
    match opened(account, request) {
        Some(Ok(opened)) => fields.with(opened.fields),
        _ => fields,
    }
}

fn sent_fields(request: &Request) -> Fields {
    let body = if request.body.len() > BODY_MOST { Fields::default() } else { request.form() };
    request.query.clone().with(body).without_backslashes()
}

fn opened(account: &Account, request: &Request) -> Option<Result<encrypted::Opened, &'static str>> {
    let content_type = request.header("content-type").filter(|kind| encrypted::is_encrypted(kind))?;
    let authorization = request.header("authorization");
    Some(encrypted::open(account, content_type, authorization, &request.body))
}

/// The answer, and what is stored on the way to it.
pub(super) fn answer(stand_in: &mut StandIn, request: &Request, fault: Option<Fault>, now: f64) -> Answer {
    if let Some(answer) = fault.and_then(|fault| instead(stand_in, fault)) {
        return answer;
    }
    let Some(way) = way(&stand_in.base, &request.path) else { return not_found() };
    let account = &mut stand_in.account;
    let session = match session(account, request, fault) {
        Ok(session) => session,
        Err(answer) => return answer,
    };
    match (way.controller, way.action) {
        ("input", "post" | "bulk") => write(account, request, &way, session, fault, now),
        ("input", "get") => input_get(account, request, &way, session),
        ("input", "list") => input_list(account, session),
        ("input", "process") if way.sub_action.as_deref() == Some("set") => {
            process_set(account, request, session)
        }
        ("feed", "create") => feed_create(account, request, session),
        ("feed", "data") => feed_data(account, request, session),
        ("user", "session") => Answer::json(match session {
            Session::Nobody => "false".to_owned(),
            Session::Reads => format!(r#"{{"userid":{},"type":"read"}}"#, account.user_id),
            Session::Writes => format!(r#"{{"userid":{},"type":"write"}}"#, account.user_id),
        }),
        _ => Answer::new(
            "HTTP/1.1 406 Not Acceptable",
            "application/json",
            r#"{"success":false,"message":"406 Not Acceptable. Route not found"}"#.to_owned(),
        ),
    }
}

/// Answers of faults that let nothing be stored.
fn instead(stand_in: &StandIn, fault: Fault) -> Option<Answer> {
    Some(match fault {
        Fault::Fatal => fatal(),
        Fault::ServerError => Answer {
            status: "HTTP/1.0 500 Internal Server Error",
            content_type: Some(HTML),
            headers: Vec::new(),
            body: String::new(),
        },
        Fault::Freeze => Answer::ok(PLAIN, String::new()),
        Fault::Redirect => Answer {
            status: "HTTP/1.1 302 Found",
            content_type: Some(HTML),
            headers: vec![("Location", format!("https://elsewhere.invalid{}/", stand_in.base))],
            body: String::new(),
        },
        Fault::Html => Answer::ok(
            HTML,
            "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Please sign in to use this network.</body></html>"
                .to_owned(),
        ),
        Fault::NotFound => not_found(),
        Fault::WrongKey => invalid_key(),
        _ => return None,
    })
}

fn not_found() -> Answer {
    let body = "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>";
    Answer::new("HTTP/1.1 404 Not Found", HTML, body.to_owned())
}

/// What PHP prints with its default settings.
fn fatal() -> Answer {
    let body = "<br />\n<b>Fatal error</b>:  Uncaught TypeError in /var/www/emoncms: Stack trace:\n#0 {main}\n  \
                thrown in <b>/var/www/emoncms</b> on line <b>1</b><br />\n";
    Answer::ok(HTML, body.to_owned())
}

fn invalid_key() -> Answer {
    let challenge = r#"Bearer realm="API KEY", error="invalid_apikey", error_description="Invalid API key""#;
    let mut answer = Answer::new("HTTP/1.1 401 Unauthorized", HTML, "Invalid API key".to_owned());
    answer.headers.push(("WWW-Authenticate", challenge.to_owned()));
    answer
}

/// The first place that has a key decides: the query, the body, the header. An empty one is none.
fn session(account: &Account, request: &Request, fault: Option<Fault>) -> Result<Session, Answer> {
    let content_type = request.header("content-type").unwrap_or_default();
    let header = request.header("authorization").filter(|_| !encrypted::is_encrypted(content_type));
    let header = header.map(|text| text.replace("Bearer ", ""));
    let body = if request.body.len() > BODY_MOST { Fields::default() } else { request.form() };
    let key = request.query.text("apikey").or_else(|| body.text("apikey")).or(header);
    match key.as_deref() {
        None | Some("") => Ok(Session::Nobody),
        Some(key) if key == account.write_key && fault != Some(Fault::ReadKey) => Ok(Session::Writes),
        Some(key) if key == account.read_key || key == account.write_key => Ok(Session::Reads),
        Some(_) => Err(invalid_key()),
    }
}

/// `input/post` and `input/bulk`.
fn write(
    account: &mut Account,
    request: &Request,
    way: &Way<'_>,
    session: Session,
    fault: Option<Fault>,
    now: f64,
) -> Answer {
    let opened = match opened(account, request) {
        Some(Err(words)) => return Answer::ok(HTML, words.to_owned()),
        Some(Ok(opened)) => Some(opened),
        None => None,
    };
    let may = session == Session::Writes || opened.is_some() && fault != Some(Fault::ReadKey);
    if !may {
        return Answer::ok(PLAIN, String::new());
    }
    let hash = opened.as_ref().map(|opened| opened.hash.clone());
    let mut fields = sent_fields(request);
    if let Some(opened) = opened {
        fields = fields.with(opened.fields);
    }
    let outcome = match fault {
        Some(fault) => faulty(account, request, way, &fields, fault, now),
        None => stored(account, request, way, &fields, now),
    };
    match outcome {
        Outcome::Fatal => fatal(),
        Outcome::Refused(sentence) => {
            let sentence = sentence.replace('"', "'");
            Answer::ok(PLAIN, format!(r#"{{"success": false, "message": "{sentence}"}}"#))
        }
        Outcome::Stored => Answer::ok(
            PLAIN,
            match hash {
                Some(_) if fault == Some(Fault::WrongHash) => encrypted::base64url(&[0; 32]),
                Some(hash) => hash,
                None if fields.has("fulljson") => r#"{"success": true}"#.to_owned(),
                None => "ok".to_owned(),
            },
        ),
    }
}

fn stored(account: &mut Account, request: &Request, way: &Way<'_>, fields: &Fields, now: f64) -> Outcome {
    if way.action == "post" {
        input::post(account, fields, way.sub_action.as_deref(), now)
    } else {
        input::bulk(account, fields, &request.body, now)
    }
}

/// Storing while something is wrong with the account.
fn faulty(
    account: &mut Account,
    request: &Request,
    way: &Way<'_>,
    fields: &Fields,
    fault: Fault,
    now: f64,
) -> Outcome {
    let limits = account.limits;
    match fault {
        Fault::HalfBulk => account.limits.rows = Some(bulk_rows(fields) / 2),
        Fault::FatalAbove(rows) if bulk_rows(fields) > rows => return Outcome::Fatal,
        Fault::RefuseAll => return Outcome::Refused("Format error, this row is refused".to_owned()),
        Fault::NodeLimit => account.limits.closed = true,
        Fault::RefuseTime(time) => account.limits.refused_time = Some(time),
        _ => {}
    }
    let outcome = stored(account, request, way, fields, now);
    account.limits = limits;
    outcome
}

fn bulk_rows(fields: &Fields) -> usize {
    match fields.bytes("data").and_then(Json::parse) {
        Some(Json::List(rows)) => rows.len(),
        _ => 0,
    }
}

/// A JSON text.
pub(super) fn text(words: &str) -> String {
    serde_json::to_string(words).unwrap_or_default()
}

fn input_get(account: &Account, request: &Request, way: &Way<'_>, session: Session) -> Answer {
    if session == Session::Nobody {
        return Answer::json("false".to_owned());
    }
    let field = |part: Option<&String>, name: &str| part.cloned().or_else(|| request.query.text(name));
    let Some(node) = field(way.sub_action.as_ref(), "node") else {
        return Answer::json(all_nodes(account));
    };
    let inputs = account.node(&php::kept_name(&node));
    if inputs.is_empty() {
        return Answer::json(text("Node does not exist"));
    }
    let Some(name) = field(way.sub_action_2.as_ref(), "name") else {
        return Answer::json(node_json(&inputs));
    };
    let name = php::kept_name(&name);
    match inputs.iter().find(|input| input.name == name) {
        Some(input) => Answer::json(input_json(input)),
        None => Answer::json(text("Node variable does not exist")),
    }
}

fn input_json(input: &super::account::Input) -> String {
    let value = php::printed(input.value);
    let list = text(&input.process_list());
    format!(r#"{{"time":{},"value":{value},"processList":{list}}}"#, input.time)
}

fn node_json(inputs: &[&super::account::Input]) -> String {
    let members = inputs.iter().map(|input| format!("{}:{}", text(&input.name), input_json(input)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn all_nodes(account: &Account) -> String {
    let mut names: Vec<&str> = Vec::new();
    for input in &account.inputs {
        if !names.contains(&input.node.as_str()) {
            names.push(&input.node);
        }
    }
    let members = names.iter().map(|name| format!("{}:{}", text(name), node_json(&account.node(name))));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// The flat list: it names the inputs' numbers, which `input/process/set` wants.
fn input_list(account: &Account, session: Session) -> Answer {
    if session == Session::Nobody {
        return Answer::json("false".to_owned());
    }
    let items = account.inputs.iter().map(|input| {
        format!(
            r#"{{"id":{},"nodeid":{},"name":{},"description":"","processList":{},"time":{},"value":{}}}"#,
            input.id,
            text(&input.node),
            text(&input.name),
            text(&input.process_list()),
            input.time,
            php::printed(input.value)
        )
    });
    Answer::json(format!("[{}]", items.collect::<Vec<_>>().join(",")))
}

/// Only logging to feeds is known here.
fn process_set(account: &mut Account, request: &Request, session: Session) -> Answer {
    if session != Session::Writes {
        return Answer::json("false".to_owned());
    }
    let id = request.query.text("inputid").and_then(|id| id.parse::<u32>().ok());
    let Some(log_to) = request.form().bytes("processlist").and_then(feeds_of) else {
        return Answer::json(r#"{"success":false,"message":"Invalid process list"}"#.to_owned());
    };
    if log_to.iter().any(|feed| account.feed(*feed).is_none()) {
        return Answer::json(r#"{"success":false,"message":"Invalid feed"}"#.to_owned());
    }
    let Some(input) = account.inputs.iter_mut().find(|input| Some(input.id) == id) else {
        return Answer::json("false".to_owned());
    };
    input.log_to = log_to;
    let list = text(&input.process_list());
    Answer::json(format!(
        r#"{{"success":true,"message":"Input processlist updated","encoded_processlist":{list}}}"#
    ))
}

fn feeds_of(list: &[u8]) -> Option<Vec<u32>> {
    let Json::List(steps) = Json::parse(list)? else { return None };
    steps.iter().map(feed_of).collect()
}

fn feed_of(step: &Json) -> Option<u32> {
    let Json::Object(members) = step else { return None };
    let member = |name: &str| members.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    if member("fn") != Some(&Json::Text("process__log_to_feed".to_owned())) {
        return None;
    }
    match member("args")? {
        Json::List(args) => u32::try_from(args.first()?.int()).ok(),
        _ => None,
    }
}

fn feed_create(account: &mut Account, request: &Request, session: Session) -> Answer {
    let query = &request.query;
    if session != Session::Writes {
        return Answer::json("false".to_owned());
    }
    if query.text("engine").as_deref() != Some("5") {
        let engine = query.text("engine").map_or(0, |engine| php::cut(php::leading_number(&engine)));
        return Answer::json(format!(
            r#"{{"success":false,"message":"ABORTED: Engine id {engine} is not supported."}}"#
        ));
    }
    let (tag, name) = (query.text("tag").unwrap_or_default(), query.text("name").unwrap_or_default());
    if account.feeds.iter().any(|feed| feed.tag == tag && feed.name == name) {
        return Answer::json(r#"{"success":false,"message":"feed already exists"}"#.to_owned());
    }
    let interval = match query.bytes("options").and_then(Json::parse) {
        Some(Json::Object(members)) => {
            members.iter().find(|(name, _)| name == "interval").map_or(0, |(_, value)| value.int())
        }
        _ => 0,
    };
    let id = account.create_feed(&tag, &name, interval);
    Answer::json(format!(r#"{{"success":true,"feedid":{id},"result":true}}"#))
}

fn feed_data(account: &Account, request: &Request, session: Session) -> Answer {
    let number = |name: &str| request.query.text(name).map(|text| php::cut(php::leading_number(&text)));
    let id = number("id").unwrap_or(0);
    let Some(feed) = u32::try_from(id).ok().and_then(|id| account.feed(id)) else {
        return Answer::json(format!(
            r#"{{"success":false,"message":"feed {id} does not exist","feeds":[{id}]}}"#
        ));
    };
    if session == Session::Nobody {
        return Answer::json("[]".to_owned());
    }
    let second = |name| number(name).unwrap_or(0).div_euclid(1000);
    let (start, end, step) = (second("start"), second("end"), number("interval").unwrap_or(0).max(1));
    if end <= start {
        let words = r#"{"success":false,"message":"request end time before start time"}"#;
        return Answer::json(words.to_owned());
    }
    let (mut points, mut time) = (Vec::new(), start);
    while time <= end {
        let value = feed.at(time).map_or_else(|| "null".to_owned(), |value| php::printed(f64::from(value)));
        points.push(format!("[{},{value}]", time * 1000));
        time += step;
    }
    Answer::json(format!("[{}]", points.join(",")))
}
