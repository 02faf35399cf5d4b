//! `GET /api/v1/uplink`: how it stands with Emoncms. `POST /api/v1/uplink/test`: one real request, and all of what went out
//! and came back but the key.

use alloc::string::String;
use core::fmt::{Display, Result as Written, Write};

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::RawMutex;

use super::problem::Problem;
use super::reply::{Body, Draft, JSON, Reply};
use super::site::Site;
use crate::json::{Number, Quoted};
use crate::limits;
use crate::platform::{Clock, Instant};
use crate::settings::emoncms::{EmoncmsSettings, Transport};
use crate::storage::item::Length;
use crate::uplink::{NoTest, TestReport, UplinkStatus, node_of};

/// A JSON text of exactly the length that it has.
pub(super) fn made<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    write: &dyn Fn(&mut dyn Write) -> Written,
) -> Result<Reply<'a>, Problem> {
    let mut length = Length(0);
    // A counter has room for everything.
    let _ = write(&mut length);
    let mut draft = Draft::new(site.budget, length.0)?;
    write(&mut draft).map_err(|_| Problem::Busy)?;
    Ok(Reply::new(JSON, Body::Made(draft)))
}

pub(super) fn show<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let state = site.plug.state;
    let (settings, status) = (state.settings.borrow(), state.uplink.status.borrow());
    let (node, now) = (node_of(&settings.emoncms, &site.plug.identity.id), site.plug.network_clock.now());
    made(site, &|out| write_status(&settings.emoncms, &node, &status, now, out))
}

/// A value that may be missing.
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<T: Display> Display for Maybe<T> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> Written {
        match &self.0 {
            Some(value) => value.fmt(formatter),
            None => formatter.write_str("null"),
        }
    }
}

fn write_status(
    settings: &EmoncmsSettings,
    node: &str,
    status: &UplinkStatus,
    now: Instant,
    out: &mut dyn Write,
) -> Written {
    let transport = if settings.transport == Transport::Plain { "plain" } else { "encrypted" };
    write!(
        out,
        "{{\"configured\":{},\"enabled\":{},\"transport\":\"{transport}\",\"url\":{},\"node\":{},\"state\":\"{}\"",
        settings.is_complete(),
        settings.enabled,
        Quoted(&settings.url),
        Quoted(node),
        status.state.word()
    )?;
    write!(out, ",\"last_success\":{},\"last_error\":", Maybe(status.last_success.map(Number)))?;
    match &status.last_error {
        None => out.write_str("null")?,
        Some(error) => write!(
            out,
            "{{\"time\":{},\"code\":\"{}\",\"message\":{},\"server_said\":{}}}",
            Maybe(error.time.map(Number)),
            error.answer.code(),
            Quoted(error.answer.message()),
            Quoted(&error.server_said)
        )?,
    }
    let (queued, rate) = (status.queued, status.rate_rows_per_s);
    let left = rate.filter(|rate| *rate > 0.0 && queued > 0).map(|rate| f64::from(queued) / rate);
    write!(
        out,
        ",\"queued\":{queued},\"oldest_queued\":{},\"newest_queued\":{},\"dropped\":{},\"thinned\":{},\
         \"set_aside\":{},\"last_set_aside\":{},\"set_aside_because\":{}",
        Maybe(status.oldest_queued),
        Maybe(status.newest_queued),
        status.dropped.lost,
        status.dropped.thinned,
        status.set_aside,
        Maybe(status.last_set_aside),
        Quoted(&status.set_aside_because)
    )?;
    write!(
        out,
        ",\"rate_rows_per_s\":{},\"catch_up_s\":{},\"next_attempt_s\":{},\"cursor\":{},\"conflict\":",
        Maybe(rate.map(Number)),
        Maybe(left.map(Number)),
        Maybe(status.next_attempt.map(|at| Number(at.since(now).as_secs_f64()))),
        Maybe(status.cursor)
    )?;
    match status.conflict {
        None => out.write_str("null")?,
        Some(conflict) => write!(
            out,
            "{{\"code\":\"{}\",\"message\":{},\"server_time\":{}}}",
            conflict.code(),
            Quoted(conflict.message()),
            conflict.server()
        )?,
    }
    write!(
        out,
        ",\"interval_s\":{},\"send_every_s\":{},\"sent_rows\":{}}}",
        settings.interval_s, settings.send_every_s, status.sent_rows
    )
}

pub(super) async fn test<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let clock = site.plug.network_clock;
    let late = clock.sleep_until(clock.now().after(limits::UPLINK_TEST));
    let report = match select(site.plug.state.uplink.test(), late).await {
        Either::First(Ok(report)) => report,
        Either::First(Err(NoTest::NoMemory)) => return Err(Problem::Busy),
        Either::First(Err(why)) => return Err(Problem::NoTest(why)),
        Either::Second(()) => return Err(Problem::NoTest(NoTest::Busy)),
    };
    made(site, &|out| write_report(&report, out))
}

fn write_report(report: &TestReport, out: &mut dyn Write) -> Written {
    write!(out, "{{\"sent\":{{\"method\":\"POST\",\"url\":{},\"headers\":", Quoted(&report.url))?;
    let sent = report.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    write_headers(sent, out)?;
    write!(out, ",\"body\":{}", Quoted(&report.body))?;
    let plaintext = report.plaintext.as_deref().map(Quoted);
    write!(out, ",\"plaintext\":{}}},\"received\":", Maybe(plaintext))?;
    match &report.received {
        None => out.write_str("null")?,
        Some(received) => {
            write!(out, "{{\"status\":{},\"headers\":", received.status)?;
            let headers = received.head.lines().skip(1).filter_map(|line| line.split_once(':'));
            write_headers(headers.map(|(name, value)| (name, value.trim())), out)?;
            write!(out, ",\"body\":{}}}", Quoted(&received.body))?;
        }
    }
    write!(
        out,
        ",\"verdict\":{{\"ok\":{},\"code\":\"{}\",\"message\":{}}},\"took_s\":{}}}",
        report.ok,
        report.code,
        Quoted(report.message),
        Number(report.took.as_secs_f64())
    )
}

/// A header that comes twice is one with both values.
fn write_headers<'h>(
    headers: impl Iterator<Item = (&'h str, &'h str)> + Clone,
    out: &mut dyn Write,
) -> Written {
    let mut separator = '{';
    for (index, (name, _)) in headers.clone().enumerate() {
        let same = |other: &str| other.eq_ignore_ascii_case(name);
        if headers.clone().take(index).any(|(other, _)| same(other)) {
            continue;
        }
        let mut values = String::new();
        for (_, value) in headers.clone().filter(|(other, _)| same(other)) {
            values.push_str(if values.is_empty() { "" } else { ", " });
            values.push_str(value);
        }
        write!(out, "{separator}{}:{}", Quoted(name), Quoted(&values))?;
        separator = ',';
    }
    out.write_str(if separator == '{' { "{}" } else { "}" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uplink::status::{Received, Trouble};
    use crate::uplink::{Conflict, State, answer::Answer};
    use core::time::Duration;
    use serde_json::{Value, json};

    fn read(write: &dyn Fn(&mut dyn Write) -> Written) -> Value {
        let mut text = String::new();
        write(&mut text).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    #[test]
    fn how_it_stands_is_told_with_everything_or_nothing() {
        let now = Instant::from_start(Duration::from_secs(100));
        let settings = EmoncmsSettings::default();
        let page = read(&|out| write_status(&settings, "n", &UplinkStatus::default(), now, out));
        assert_eq!(
            (&page["state"], &page["configured"], &page["queued"]),
            (&json!("off"), &json!(false), &json!(0))
        );
        assert_eq!(
            (&page["last_error"], &page["conflict"], &page["cursor"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        let status = UplinkStatus {
            state: State::CatchingUp,
            last_success: Some(1.5),
            last_error: Some(Trouble { time: None, answer: Answer::BadKey, server_said: "\"no\"".into() }),
            queued: 100,
            oldest_queued: Some(1),
            newest_queued: Some(2),
            rate_rows_per_s: Some(50.0),
            next_attempt: Some(now.after(Duration::from_secs(7))),
            cursor: Some(3),
            conflict: Some(Conflict::Newer { server: 4 }),
            ..UplinkStatus::default()
        };
        let page = read(&|out| write_status(&settings, "n", &status, now, out));
        assert_eq!(page["last_error"]["server_said"], "\"no\"");
        assert_eq!((&page["catch_up_s"], &page["next_attempt_s"]), (&json!(2), &json!(7)));
        assert_eq!(page["conflict"]["server_time"], 4);
    }

    #[test]
    fn a_report_is_json_whatever_the_server_said() {
        let head = "HTTP/1.1 200 \"OK\"\nSet-Cookie: a\nX: \\\nset-cookie: b\nno colon\n";
        let report = TestReport {
            url: "http://a/input/bulk".into(),
            headers: [("Host".into(), "a".into())].into(),
            body: "data=".into(),
            received: Some(Received { status: 200, head: head.into(), body: "\u{0}\"".into() }),
            code: "accepted",
            message: "The server took it.",
            ..TestReport::default()
        };
        let page = read(&|out| write_report(&report, out));
        assert_eq!(page["received"]["headers"], json!({"Set-Cookie": "a, b", "X": "\\"}));
        assert_eq!(
            (&page["received"]["body"], &page["sent"]["plaintext"]),
            (&json!("\u{0}\""), &Value::Null)
        );
        let page = read(&|out| write_report(&TestReport::default(), out));
        assert_eq!((&page["received"], &page["sent"]["headers"]), (&Value::Null, &json!({})));
    }
}
