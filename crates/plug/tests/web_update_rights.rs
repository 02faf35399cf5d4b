//! Who may say whose firmware is taken, and who may go back from one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use plug::platform::ImageState;
use plug::update::Image;
use plug::update::keys::Key;
use serde_json::json;
use web_support::{ADMIN, CONTROL, Plug, READ, Response, bearer, defaults};

/// A change of the settings by somebody who knows the password.
fn owner_patches(plug: &Plug, body: &str) -> Response {
    let line = plug.challenge().header("PATCH", "/api/v1/settings");
    plug.patch_settings(&[&line], body)
}

const PASSWORD_ONLY: &str = "No token may do this; use the password: HTTP Digest with the user name admin.";

/// A token that was overheard must not decide whose firmware is taken.
#[test]
fn whose_packages_are_taken_is_for_the_password_alone() {
    let plug = Plug::start(1.0);
    let keys = format!("[\"{}\"]", Key([7; 32]));
    for change in [r#"{"accept":"signed"}"#, r#"{"accept":"any"}"#]
        .map(str::to_owned)
        .into_iter()
        .chain(["keys", "retired"].map(|name| format!("{{\"{name}\":{keys}}}")))
    {
        let patch = format!("{{\"update\":{change},\"device\":{{\"name\":\"meanwhile\"}}}}");
        let answer = plug.patch_settings(&[&bearer(ADMIN)], &patch);
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{patch}");
        assert_eq!(answer.json()["error"]["message"], PASSWORD_ONLY);
        // All or nothing.
        assert_ne!(plug.get("/api/v1/settings").json()["device"]["name"], "meanwhile");
    }
    // What stays as it is may be said, and the rest is a setting like others.
    let same =
        r#"{"update":{"accept":"default","keys":[],"retired":[],"warn_above_a":2},"device":{"name":"new"}}"#;
    assert_eq!(plug.patch_settings(&[&bearer(ADMIN)], same).status, 200);
    assert_eq!(plug.patch_settings(&[&bearer(CONTROL)], same).code(), "forbidden");
    for change in
        [format!("{{\"update\":{{\"keys\":{keys}}}}}"), r#"{"update":{"accept":"signed"}}"#.to_owned()]
    {
        assert_eq!(owner_patches(&plug, &change).status, 200, "{change}");
    }
    // Nobody shuts all firmware out by chance.
    let project = defaults().update_key.unwrap();
    let none = format!("{{\"update\":{{\"keys\":[],\"retired\":[\"{project}\"]}}}}");
    let refused = owner_patches(&plug, &none);
    assert_eq!((refused.status, refused.code().as_str()), (422, "bad_settings"));
    let field = &refused.json()["error"]["fields"][0];
    assert_eq!(field["field"], "update.keys");
    assert_eq!(field["message"], "must leave a key that is accepted while only signed packages are taken");
}

#[test]
fn there_is_a_way_back_for_the_owner_and_admins() {
    let plug = Plug::start(1.0);
    let ask = |who: &str| plug.ask("DELETE", "/api/v1/update", &[&bearer(who)], "");
    let set = |state| plug.inside(move |inside| inside.state.image.set(Some(Image { slot: 0, state })));
    for state in [ImageState::Confirmed, ImageState::Unrecorded] {
        set(state);
        // Nobody looks after slots here.
        assert_eq!(ask(ADMIN).code(), "update_unavailable");
        assert_eq!(ask(CONTROL).code(), "forbidden");
    }
    set(ImageState::OnProbation);
    assert_eq!((ask(READ).code(), ask(CONTROL).code()), ("forbidden".to_owned(), "forbidden".to_owned()));
    let answer = ask(ADMIN);
    assert_eq!((answer.status, &answer.json()["running"]["state"]), (202, &json!("on_probation")));
}
