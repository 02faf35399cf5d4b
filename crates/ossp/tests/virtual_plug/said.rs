//! The program as a command: what it says, its words for people, its status.

use std::process::{Command, Output, Stdio};

use super::{PASSWORD, Plug};

/// What the program says, its words for people, its status.
#[derive(Debug)]
pub struct Said {
    pub out: String,
    pub words: String,
    pub status: i32,
}

impl Said {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { out: text(output.stdout), words: text(output.stderr), status: output.status.code().unwrap() }
    }

    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.status, 0, "{self:?}");
        self
    }

    #[track_caller]
    pub fn fails(self, status: i32, part: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.words.contains(part), "{part}: {self:?}");
        assert!(self.words.starts_with("ossp: ") && !self.words.contains("panicked"), "{self:?}");
    }

    /// The command line's own words.
    #[track_caller]
    pub fn fails_wrongly(self) {
        assert_eq!(self.status, 2, "{self:?}");
    }
}

/// The program with an owner's password in the environment, and nobody at the keyboard.
pub fn ossp(password: Option<&str>, arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ossp"));
    command.args(arguments).stdin(Stdio::null()).env_remove("OSSP_PASSWORD").env_remove("OSSP_TOKEN");
    // What other programs use on their way out is no way to a plug.
    command.env("http_proxy", "http://127.0.0.1:1").env("ALL_PROXY", "http://127.0.0.1:1");
    if let Some(password) = password {
        command.env("OSSP_PASSWORD", password);
    }
    Said::new(command.output().unwrap())
}

/// The program, asking this plug with its owner's password.
pub fn ask(plug: &Plug, arguments: &[&str]) -> Said {
    ossp(Some(PASSWORD), &[&["plug", &plug.address], arguments].concat())
}

/// What is asked of a plug, in words.
pub fn with<'a>(address: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["plug", address], more].concat()
}
