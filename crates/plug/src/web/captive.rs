//! What a phone or a computer is told on the access point that asks for its maker's test page, to see whether there is a
//! way into the internet: a redirect to the plug's page, which makes it show that page. docs/network.md lists who asks
//! for what.

use alloc::boxed::Box;

use picoserve::response::StatusCode;

use super::problem::Problem;
use super::reply::{Body, Extra, HTML, Reply};

/// Below the redirect, for whoever does not follow it by itself. No system takes it for its own test page.
const PAGE: &str = "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>OSSP</title>\
    <p><a href=\"http://192.168.4.1/\">To the plug's page</a></p></html>\n";

/// Test pages that are asked for by address too: some clients look a name up only once, others come by a proxy's rules.
/// Under any other name every path is one.
const PROBES: [&str; 10] = [
    "/generate_204",
    "/gen_204",
    "/hotspot-detect.html",
    "/library/test/success.html",
    "/connecttest.txt",
    "/ncsi.txt",
    "/redirect",
    "/success.txt",
    "/canonical.html",
    "/check_network_status.txt",
];
/// Where Windows looks for the rules of a proxy (`http://wpad/wpad.dat`); a page is none.
const PROXY_RULES: &str = "/wpad.dat";

/// Whether `path` is the test page of some system.
pub(super) fn is_probe(path: &str) -> bool {
    PROBES.contains(&path)
}

/// The answer to a request by the access point that looks at `path` under a name that is not the plug's.
///
/// # Errors
/// There is nothing to look at.
pub(super) fn answer<'r>(path: &str) -> Result<Reply<'r>, Problem> {
    if path == PROXY_RULES { Err(Problem::NotFound) } else { Ok(to_the_page()) }
}

/// The redirect. It is found (302), not moved for good: elsewhere the same address is what it says.
pub(super) fn to_the_page<'r>() -> Reply<'r> {
    let mut reply = Reply::new(HTML, Body::Fixed(PAGE.as_bytes()));
    reply.status = StatusCode::new(302);
    reply.lines.extra = Some(Box::new(Extra::Home));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_leads_where_the_plug_is() {
        assert!(PAGE.contains(&alloc::format!("\"http://{}/\"", crate::limits::ACCESS_POINT_ADDRESS)));
    }
}
