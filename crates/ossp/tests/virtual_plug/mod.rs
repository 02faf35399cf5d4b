//! The program as its user meets it: started on a state folder, asked over the network, ended in any way.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

pub mod client;
#[path = "../../../plug/tests/web_support/digest.rs"]
pub mod digest;
pub mod said;

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub use client::{Client, Knows};

/// The owner's password where a test does not care.
pub const PASSWORD: &str = "test words 10";
/// How long a test waits for what must come: a machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A folder that goes away.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ossp-program-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    /// The plug's flash.
    pub fn flash(&self) -> PathBuf {
        self.0.join("flash.bin")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header's value; its name in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.to_ascii_lowercase() == name).then(|| value.trim().to_owned())
        })
    }
}

/// A running virtual plug. Dropping it kills it: no chance to tidy up.
pub struct Plug {
    pub child: Child,
    pub address: String,
    /// Who asks it.
    pub client: Client,
}

impl Plug {
    /// Starts it; it has an owner, whose password [`PASSWORD`] is.
    pub fn start(state: &Path, more: &[&str]) -> Self {
        Self::begin(state, &owned(more), Stdio::null())
    }

    /// As [`Self::start`]; what it says for people is in `words`.
    pub fn start_telling(state: &Path, more: &[&str], words: &Path) -> Self {
        Self::begin(state, &owned(more), std::fs::File::create(words).unwrap().into())
    }

    /// Starts it with nothing but what is given: a plug fresh from its factory has no owner then.
    pub fn start_bare(state: &Path, more: &[&str]) -> Self {
        let mut plug = Self::begin(state, more, Stdio::null());
        plug.knows(Knows::Nothing);
        plug
    }

    /// Starts it with nothing but what is given, whoever asks it.
    pub fn begin(state: &Path, more: &[&str], errors: Stdio) -> Self {
        let mut child = spawn(state, more, errors);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let client = Client::new(&address, Knows::Password(PASSWORD.to_owned()));
        Self { child, address, client }
    }

    /// From now on somebody else asks it.
    pub fn knows(&mut self, knows: Knows) {
        self.client = Client::new(&self.address, knows);
    }

    /// Asks; an error if the plug is gone.
    pub fn ask(&self, head: &str, headers: &str, body: &str) -> io::Result<Answer> {
        self.client.ask(head, headers, body)
    }

    pub fn request(&self, head: &str, body: &str) -> (u16, String) {
        let answer = self.ask(head, "", body).unwrap();
        (answer.status, answer.body)
    }

    pub fn json(&self, path: &str) -> Value {
        self.ask(&format!("GET {path}"), "", "").unwrap().json()
    }

    pub fn relay(&self) -> Value {
        self.json("/api/v1/relay")
    }

    /// Has the relay switched.
    pub fn put_relay(&self, body: &str) -> Answer {
        self.ask("PUT /api/v1/relay", "", body).unwrap()
    }

    /// Has the relay switched, and it must obey.
    #[track_caller]
    pub fn switch(&self, body: &str) -> Value {
        let answer = self.put_relay(body);
        assert_eq!(answer.status, 200, "{body}: {answer:?}");
        answer.json()
    }

    /// Changes settings, and they must be taken; as they are then.
    #[track_caller]
    pub fn set(&self, patch: &str) -> Value {
        let answer = self.ask("PATCH /api/v1/settings", "", patch).unwrap();
        assert_eq!(answer.status, 200, "{patch}: {answer:?}");
        answer.json()
    }

    /// Sends an image, as curl sends a file.
    pub fn upload(&self, query: &str, image: &[u8]) -> Answer {
        self.client.ask(&format!("POST /api/v1/update{query}"), "", image).unwrap()
    }

    /// The first answer from `path` that pleases.
    #[track_caller]
    pub fn await_json(&self, path: &str, pleases: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            // A restart ends connections in the middle of an answer: whoever waits asks again.
            let answer = self.ask(&format!("GET {path}"), "", "").map(|answer| answer.json());
            if let Ok(answer) = &answer
                && answer.get("error").is_none()
                && pleases(answer)
            {
                return answer.clone();
            }
            assert!(begin.elapsed() < PATIENCE, "{path}: {answer:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The first reading that pleases.
    #[track_caller]
    pub fn reading(&self, pleases: impl Fn(&Value) -> bool) -> Value {
        self.await_json("/api/v1/reading", pleases)
    }

    /// The log of the relay, newest first.
    pub fn changes(&self) -> Vec<Value> {
        self.json("/api/v1/relay/log")["changes"].as_array().unwrap().clone()
    }

    #[cfg(unix)]
    pub fn stop(mut self) -> Option<i32> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the program is started with so that it has an owner.
pub fn owned<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--password", PASSWORD], more].concat()
}

/// The program, before it has said anything.
pub fn spawn(state: &Path, more: &[&str], errors: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ossp"))
        .args(["run", "--listen", "127.0.0.1:0", "--state"])
        .arg(state)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(errors)
        .spawn()
        .unwrap()
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

pub fn sequence(reading: &Value) -> u64 {
    reading["sequence"].as_u64().unwrap()
}

pub fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ossp")).args(arguments).output().unwrap()
}
