//! `ossp stand-in`: the stand-in behind a TCP socket, a thread for each connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use super::account::Account;
use super::answer::Framing;
use super::fault::{self, Planned};
use super::request::Incomplete;
use super::{Delivery, Manner, StandIn};
use crate::failure::Failure;

/// A client that says nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(600);
/// Connections at once, a thread each; more are closed at once.
pub const CONNECTIONS_MOST: usize = 64;
/// Longer requests are no plug's.
const REQUEST_MOST: usize = 16 * 1024 * 1024;

/// Options of `ossp stand-in`.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = faults_help())]
pub struct StandInOptions {
    /// Where it listens; port 0 picks a free one. Others can reach it only if this names an address of the network
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Where Emoncms lies on the server: `/emoncms`, or `/` for a server of its own
    #[arg(long, value_name = "PATH", default_value = "/emoncms")]
    path: String,
    /// The account's write key, 32 hex digits
    #[arg(long, value_name = "KEY", default_value = "fa8e3b689295332c560bbea31afb61d0", value_parser = key)]
    write_key: String,
    /// The account's read key, 32 hex digits
    #[arg(long, value_name = "KEY", default_value = "0f1e2d3c4b5a69788796a5b4c3d2e1f0", value_parser = key)]
    read_key: String,
    /// The account's number, which encrypted requests carry
    #[arg(long, value_name = "N", default_value_t = 4)]
    user_id: u32,
    /// At most so many nodes
    #[arg(long, value_name = "N", default_value_t = super::account::NODES_MOST)]
    nodes: usize,
    /// Each new input is logged to a feed with slots of so many seconds (at least 10); 0 makes no feeds, as Emoncms does
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    feeds: i64,
    /// How answers end
    #[arg(long, value_enum, default_value_t)]
    framing: Framing,
    /// What goes wrong: a name, `name=number`, `name*times` (see --help); several are met one after the other
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Planned>,
}

fn key(text: &str) -> Result<String, String> {
    let fits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { Ok(text.to_owned()) } else { Err("a key has 32 hex digits".to_owned()) }
}

fn faults_help() -> String {
    let mut help = String::from(
        "Nothing is kept: with the program all that was stored is gone. Give it no real keys: whoever can start a program\n\
         on this machine sees its options, and they are printed when it starts. Its requests are not checked as\n\
         a real server's would be, so let only your own network reach it.\n\n\
         While it runs: `GET /stand-in/state` shows what was stored and received, as JSON;\n\
         `POST /stand-in/fault` with {\"fault\": \"freeze\"} (or {\"fault\": null}) changes what goes wrong;\n\
         `POST /stand-in/clear` forgets what was stored.\n\nFaults:\n",
    );
    for (name, number, does) in fault::NAMES {
        let name = number.map_or_else(|| name.to_owned(), |number| format!("{name}={number}"));
        help += &format!("  {name:<22} {does}\n");
    }
    help
}

/// A stand-in that threads share.
pub type SharedStandIn = Arc<Mutex<StandIn>>;

/// Runs the stand-in until the program is stopped.
///
/// # Errors
/// If the address cannot be listened on.
pub fn run(options: &StandInOptions) -> Result<(), Failure> {
    let mut account = Account::new(options.user_id, &options.write_key, &options.read_key);
    account.nodes_most = options.nodes;
    account.feed_interval_s = (options.feeds > 0).then_some(options.feeds);
    let mut stand_in = StandIn::new(account);
    stand_in.faults.clone_from(&options.fault);
    stand_in.framing = options.framing;
    options.path.trim_matches('/').clone_into(&mut stand_in.base);
    if !stand_in.base.is_empty() {
        stand_in.base.insert(0, '/');
    }
    let base = stand_in.base.clone();
    let listener = TcpListener::bind(options.listen).map_err(|error| {
        Failure::wrong_use(format!(
            "{} cannot be listened on ({error}); name another with --listen",
            options.listen
        ))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::failed(error.to_string()))?;
    let mut out = std::io::stdout().lock();
    let told = writeln!(
        out,
        "http://{address}{base}/\nwrite key {}\nread key {}\nuser id {}",
        options.write_key, options.read_key, options.user_id
    )
    .and_then(|()| out.flush());
    drop(out);
    told.map_err(|error| Failure::failed(format!("standard output cannot be written ({error})")))?;
    note("stands in for Emoncms; nothing is kept. What comes in is told here, stop with Ctrl-C");
    serve(&listener, &Arc::new(Mutex::new(stand_in)), true);
    Ok(())
}

/// Serves whoever comes, until the listener ends.
pub fn serve(listener: &TcpListener, stand_in: &SharedStandIn, tells: bool) {
    let seats = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let Some(seat) = Seat::take(&seats) else { continue };
        let stand_in = Arc::clone(stand_in);
        thread::spawn(move || Connection { stream, stand_in, tells, _seat: seat }.serve());
    }
}

/// A connection's place; free again when it is dropped.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    /// Only the one thread that accepts takes them.
    fn take(seats: &Arc<AtomicUsize>) -> Option<Self> {
        if seats.load(Ordering::Relaxed) >= CONNECTIONS_MOST {
            return None;
        }
        seats.fetch_add(1, Ordering::Relaxed);
        Some(Self(Arc::clone(seats)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Connection {
    stream: TcpStream,
    stand_in: SharedStandIn,
    tells: bool,
    _seat: Seat,
}

impl Connection {
    fn stand_in(&self) -> MutexGuard<'_, StandIn> {
        self.stand_in.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(mut self) {
        // Without these two a client only waits longer.
        let _ = self.stream.set_read_timeout(Some(PATIENCE));
        let _ = self.stream.set_nodelay(true);
        let (mut bytes, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
        loop {
            // The stand-in's own pages work whatever goes wrong.
            let own = bytes.is_empty() && self.peeks_own_page();
            let resets_after = self.stand_in().resets_after().filter(|_| !own);
            let most = resets_after
                .map_or(buffer.len(), |after| after.saturating_sub(bytes.len()).min(buffer.len()));
            if most == 0 {
                self.stand_in().was_reset(bytes.len(), unix_now());
                self.tell();
                self.reset();
                return;
            }
            let Ok(count) = self.stream.read(buffer.get_mut(..most).unwrap_or_default()) else { return };
            if count == 0 || bytes.len() > REQUEST_MOST {
                return;
            }
            bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
            if !self.answer_all(&mut bytes) {
                return;
            }
        }
    }

    /// Whether what comes next is for the stand-in itself.
    fn peeks_own_page(&self) -> bool {
        let mut start = [0; 15];
        let count = self.stream.peek(&mut start).unwrap_or(0);
        let start = start.get(..count).unwrap_or_default();
        [b"GET /stand-in/".as_slice(), b"POST /stand-in/"].iter().any(|own| start.starts_with(own))
    }

    /// Answers what is whole; whether the connection goes on.
    fn answer_all(&mut self, bytes: &mut Vec<u8>) -> bool {
        loop {
            // The lock must not be held while an answer goes out.
            let (handled, counted) = {
                let mut stand_in = self.stand_in();
                let before = stand_in.requests;
                (stand_in.handle(bytes, unix_now()), stand_in.requests != before)
            };
            match handled {
                Err(Incomplete::More) => return true,
                Err(Incomplete::Broken) => {
                    let _ = self.stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
                    return false;
                }
                Ok(delivery) => {
                    bytes.drain(..delivery.taken.min(bytes.len()));
                    if counted {
                        self.tell();
                    }
                    if !self.deliver(&delivery) {
                        return false;
                    }
                }
            }
        }
    }

    fn deliver(&mut self, delivery: &Delivery) -> bool {
        match delivery.manner {
            Manner::KeepOpen => self.stream.write_all(&delivery.bytes).is_ok(),
            Manner::Close => {
                let _ = self.stream.write_all(&delivery.bytes);
                false
            }
            Manner::Slowly(over) => {
                let pause = over / u32::try_from(delivery.bytes.len().max(1)).unwrap_or(1);
                for byte in &delivery.bytes {
                    thread::sleep(pause);
                    if self.stream.write_all(&[*byte]).is_err() {
                        break;
                    }
                }
                false
            }
            Manner::Reset => {
                let _ = self.stream.write_all(&delivery.bytes);
                self.reset();
                false
            }
            Manner::Never => {
                // Until the client gives up: its end of the connection comes as a read of nothing.
                let mut buffer = [0; 256];
                while self.stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
                false
            }
        }
    }

    /// Closed with a lingering time of zero, a connection ends with a reset.
    fn reset(&self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    fn tell(&self) {
        let newest = self.stand_in().received.last().cloned();
        if let Some(request) = newest.filter(|_| self.tells) {
            note(&format!("{} ({} bytes; {})", request.what, request.length, request.how));
            if !request.fields.is_empty() {
                note(&format!("    {}", shortened(&request.fields)));
            }
            note(&format!("  = {}", shortened(&request.answered)));
        }
    }
}

/// A line fits a screen or two.
fn shortened(text: &str) -> String {
    const MOST: usize = 1000;
    let line = text.replace('\n', " ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}... ({} bytes)", line.get(..at).unwrap_or_default(), text.len()),
        None => line,
    }
}

fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A line for people.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "ossp: {text}");
}
