//! Asks a plug over HTTP: finds out whether it is one, proves who asks, and says in a sentence what went wrong.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Read};
use std::time::Duration;

use serde_json::Value;
use ureq::http::{Method, Request, Response, StatusCode};
use ureq::{Agent, AsSendBody, Body, SendBody};

use super::digest::{self, Signer};
use super::place::Place;
use crate::failure::Failure;

/// How long a plug may take to be reached.
const CONNECT: Duration = Duration::from_secs(8);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// How long an upload and what the plug makes of it, or a long download, may take.
const LONG: Duration = Duration::from_secs(900);
/// Longest answer that is read as JSON.
const LONGEST: u64 = 4 << 20;

/// What the person at the keyboard knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets {
    /// A token.
    pub(super) token: Option<String>,
    /// The owner's password; asked for when a plug wants it.
    pub(super) password: Option<String>,
}

/// A plug that is asked.
pub(super) struct Client {
    agent: Agent,
    place: Place,
    base: RefCell<String>,
    token: Option<String>,
    password: RefCell<Option<String>>,
    signer: RefCell<Option<Signer>>,
    /// The signer has proved itself since it was made.
    proved: Cell<bool>,
    /// Who is asked, once it has said so.
    id: RefCell<Option<String>>,
    /// It has said so at the address of now.
    met: Cell<bool>,
}

/// What is sent.
pub(super) enum Sent<'a> {
    /// Nothing.
    Nothing,
    /// JSON.
    Json(&'a Value),
    /// So many bytes out of a file.
    File(&'a mut dyn Read, u64),
}

/// An answer that is not what was hoped for.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nobody answered: it may be restarting.
    Unreachable(Failure),
    /// It answered with an error.
    Refused {
        /// What HTTP says.
        status: StatusCode,
        /// A word for programs, empty if there is none.
        code: String,
        /// What it says.
        body: Value,
        /// A sentence.
        message: String,
    },
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreachable(failure) => failure,
            Trouble::Refused { message, .. } => Self::failed(message),
        }
    }
}

impl Client {
    pub(super) fn new(place: Place, secrets: Secrets) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A plug is on this network; what other programs use on their way out knows nothing of it.
            .proxy(None)
            .timeout_connect(Some(CONNECT))
            .user_agent(concat!("ossp/", env!("CARGO_PKG_VERSION")))
            .build();
        let base = place.base();
        Self {
            agent: config.into(),
            place,
            base: RefCell::new(base),
            token: secrets.token,
            password: RefCell::new(secrets.password),
            signer: RefCell::new(None),
            proved: Cell::new(false),
            id: RefCell::new(None),
            met: Cell::new(false),
        }
    }

    /// Whether it asks with a token, and not with the password.
    pub(super) const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Where the plug is.
    pub(super) fn base(&self) -> String {
        self.base.borrow().clone()
    }

    /// Looks for it anew: a restart may have given it another address, and its old one to somebody else.
    pub(super) fn look_again(&self) {
        self.base.replace(self.place.base());
        self.met.set(false);
    }

    /// Asks who is there, and shows nothing of its own: whoever is not the plug learns no token.
    ///
    /// # Errors
    /// If it is no plug, or another one than before.
    pub(super) fn meet(&self) -> Result<Value, Trouble> {
        let mut response = self.once(&Method::GET, "/api/v1/info", &mut Sent::Nothing, None)?;
        if !response.status().is_success() {
            return Err(match self.refused(&mut response) {
                Trouble::Refused { code, .. } if code.is_empty() => self.no_plug(),
                trouble => trouble,
            });
        }
        let info = read_json(&mut response).ok_or_else(|| self.no_plug())?;
        let word = |name| info.get(name).and_then(Value::as_str);
        if ["name", "version", "board"].into_iter().any(|name| word(name).is_none()) {
            return Err(self.no_plug());
        }
        let id = word("id").ok_or_else(|| self.no_plug())?.to_owned();
        if self.id.borrow().as_ref().is_some_and(|known| *known != id) {
            return Err(Trouble::Unreachable(Failure::failed(format!(
                "another plug answers at {}",
                self.base()
            ))));
        }
        self.id.replace(Some(id));
        self.met.set(true);
        Ok(info)
    }

    /// `GET`, as JSON.
    ///
    /// # Errors
    /// What went wrong.
    pub(super) fn get(&self, path: &str) -> Result<Value, Trouble> {
        let mut response = self.ask(&Method::GET, path, &mut Sent::Nothing)?;
        read_json(&mut response).ok_or_else(|| self.no_plug())
    }

    /// Sends something, and reads JSON.
    ///
    /// # Errors
    /// What went wrong.
    pub(super) fn send(&self, method: Method, path: &str, mut sent: Sent<'_>) -> Result<Value, Trouble> {
        if matches!(sent, Sent::File(..)) {
            // A file is sent once: who sends it has to be known before.
            self.prove()?;
        }
        let mut response = self.ask(&method, path, &mut sent)?;
        read_json(&mut response).ok_or_else(|| self.no_plug())
    }

    /// `GET`, as it comes.
    ///
    /// # Errors
    /// What went wrong.
    pub(super) fn download(&self, path: &str) -> Result<Response<Body>, Trouble> {
        self.ask(&Method::GET, path, &mut Sent::Nothing)
    }

    fn ask(&self, method: &Method, path: &str, sent: &mut Sent<'_>) -> Result<Response<Body>, Trouble> {
        if !self.met.get() {
            self.meet()?;
        }
        for _ in 0..3 {
            let signed = self.authorization(method, path);
            let mut response = self.once(method, path, sent, signed.as_deref())?;
            if response.status() != StatusCode::UNAUTHORIZED || matches!(sent, Sent::File(..)) {
                self.proved.set(signed.is_some());
                return if response.status().is_success() {
                    Ok(response)
                } else {
                    Err(self.refused(&mut response))
                };
            }
            if !self.take_challenge(&response, signed.is_some())? {
                return Err(self.refused(&mut response));
            }
        }
        Err(Trouble::Unreachable(Failure::failed(format!("{} does not accept a fresh proof", self.base()))))
    }

    fn authorization(&self, method: &Method, path: &str) -> Option<String> {
        match &self.token {
            Some(token) => Some(format!("Bearer {token}")),
            None => self.signer.borrow_mut().as_mut().map(|signer| signer.sign(method.as_str(), path)),
        }
    }

    /// Gets a challenge and meets it, so that the next request is signed.
    fn prove(&self) -> Result<(), Trouble> {
        if self.token.is_some() || self.proved.get() {
            return Ok(());
        }
        let empty = Value::Object(serde_json::Map::new());
        let mut sent = Sent::Json(&empty);
        let response = self.once(&Method::POST, "/api/v1/session", &mut sent, None)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.take_challenge(&response, false)?;
            // What only the owner may read: a wrong password shows before the file is on its way.
            self.get("/api/v1/tokens")?;
        }
        Ok(())
    }

    /// Takes the challenge of an answer; `false` if it makes no sense to try again.
    fn take_challenge(&self, response: &Response<Body>, signed: bool) -> Result<bool, Trouble> {
        if self.token.is_some() {
            return Ok(false);
        }
        let challenge = response.headers().get("www-authenticate").and_then(|value| value.to_str().ok());
        let Some(challenge) = challenge else { return Ok(false) };
        let stale = digest::parameter(challenge, "stale").is_some_and(|value| value == "true");
        if signed && !stale {
            return Err(self.wrong_password());
        }
        let password = self.password()?;
        let mut chance = [0; 16];
        getrandom::fill(&mut chance).map_err(|error| {
            Trouble::Unreachable(Failure::failed(format!("there is no chance here ({error})")))
        })?;
        let id = self.id.borrow().clone().unwrap_or_default();
        let signer = Signer::new(challenge, &id, &password, chance).ok_or_else(|| self.no_plug())?;
        self.signer.replace(Some(signer));
        Ok(true)
    }

    fn password(&self) -> Result<String, Trouble> {
        if let Some(password) = &*self.password.borrow() {
            return Ok(password.clone());
        }
        if !std::io::stdin().is_terminal() {
            return Err(Trouble::Unreachable(Failure::wrong_use(
                "the plug wants to know who asks: set OSSP_PASSWORD to the owner's password, or OSSP_TOKEN to a token"
                    .to_owned(),
            )));
        }
        let asked =
            rpassword::prompt_password(format!("Password of {}: ", self.base())).map_err(|error| {
                Trouble::Unreachable(Failure::failed(format!("no password can be asked for ({error})")))
            })?;
        self.password.replace(Some(asked.clone()));
        Ok(asked)
    }

    fn once(
        &self,
        method: &Method,
        path: &str,
        sent: &mut Sent<'_>,
        authorization: Option<&str>,
    ) -> Result<Response<Body>, Trouble> {
        let base = self.base();
        let mut request = Request::builder().method(method).uri(format!("{base}{path}"));
        request = request.header("accept", "application/json, text/csv");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let answered = match sent {
            Sent::Nothing => self.run(request.body(()), ANSWER),
            Sent::Json(value) => {
                self.run(request.header("content-type", "application/json").body(value.to_string()), ANSWER)
            }
            Sent::File(file, length) => {
                let request = request.header("content-type", "application/octet-stream");
                let request = request.header("content-length", length.to_string());
                self.run(request.body(SendBody::from_reader(file)), LONG)
            }
        };
        answered.map_err(|why| Trouble::Unreachable(unreachable(&base, self.place.unknown(), &why)))
    }

    fn run(
        &self,
        request: Result<Request<impl AsSendBody>, ureq::http::Error>,
        patience: Duration,
    ) -> Result<Response<Body>, ureq::Error> {
        let request = self.agent.configure_request(request?).timeout_global(Some(patience)).build();
        self.agent.run(request)
    }

    fn refused(&self, response: &mut Response<Body>) -> Trouble {
        let status = response.status();
        let body = read_json(response).unwrap_or_default();
        let word = |name: &str| body.pointer(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (code, said) = (word("/error/code"), word("/error/message"));
        let message = match (status, said.as_str()) {
            (StatusCode::UNAUTHORIZED, _) if self.token.is_some() => {
                format!("{} does not know the token in OSSP_TOKEN", self.base())
            }
            (_, "") => format!("{} answers {status}, and not as a plug would", self.base()),
            (_, said) => format!("{}: {}", self.base(), super::printable(said)),
        };
        Trouble::Refused { status, code, body, message }
    }

    fn wrong_password(&self) -> Trouble {
        Trouble::Unreachable(Failure::failed(format!("{}: the password is wrong", self.base())))
    }

    fn no_plug(&self) -> Trouble {
        Trouble::Unreachable(no_plug(&self.base()))
    }
}

/// Somebody answers, but no plug.
fn no_plug(base: &str) -> Failure {
    Failure::failed(format!("{base} answers, but not as an OSSP plug does"))
}

/// `unknown` is said where the name leads nowhere.
fn unreachable(base: &str, unknown: &str, error: &ureq::Error) -> Failure {
    let why = match error {
        ureq::Error::HostNotFound => unknown.to_owned(),
        ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
        ureq::Error::Io(error) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
            // A name that the system does not know has no kind of its own in std, only these words.
            _ if error.to_string().starts_with("failed to lookup address") => unknown.to_owned(),
            _ => error.to_string(),
        },
        ureq::Error::Protocol(_) | ureq::Error::Http(_) => return no_plug(base),
        other => super::printable(&other.to_string()),
    };
    Failure::failed(format!("{base} cannot be reached ({why}); is the plug on, and in the same network?"))
}

fn read_json(response: &mut Response<Body>) -> Option<Value> {
    let reader = response.body_mut().with_config().limit(LONGEST).reader();
    serde_json::from_reader(reader).ok()
}
