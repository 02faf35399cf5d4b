//! Every buffer size and time-out of the product, each with its reason.

use core::net::Ipv4Addr;
use core::time::Duration;

/// Windows that wait for `run_rest`: 1.6 s at five a second, so that a second's stall loses none.
pub const READING_QUEUE: usize = 8;
/// Relay changes that wait for `run_rest`; protection cannot switch faster than that in a second.
pub const RELAY_QUEUE: usize = 8;
/// Commands that wait for the core: one for each web worker and one for the button.
pub const COMMAND_QUEUE: usize = 10;
/// Relay changes kept for `/api/v1/relay/log`.
pub const RELAY_LOG: usize = 32;
/// Connections served at once; the chip has a socket for each (2 KB send, 1 KB receive).
pub const WEB_WORKERS: usize = 8;
/// Live event streams at once: at most half of the workers, so that one is always left for sign-in and update.
pub const EVENT_STREAMS: usize = 4;
/// How long a request may take to arrive, byte by byte.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may stand still before the client is given up.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a kept-alive connection may idle: short, workers are few.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
/// Request head (request line and headers): browsers send under 1 KB on a local network.
pub const REQUEST_HEAD: usize = 2048;
/// Body of a JSON request in step 1 (relay commands).
pub const JSON_BODY: usize = 512;
/// How long a web handler waits for the core to answer a command.
pub const CORE_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Lines of the log kept for live streams that are a little late.
pub const LOG_LINES: usize = 8;
/// How long an answer may take as a whole: a client that reads a byte every four seconds does not stand still.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a closing connection waits for the client's end (it is a few milliseconds away on a local network).
pub const CLOSE_WAIT: Duration = Duration::from_millis(200);
/// How long a worker rests after an error of `accept()`: long enough not to spin, too short to be noticed.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often a silent event stream says that it is alive, so that a dead client is found.
pub const EVENT_KEEP_ALIVE: Duration = Duration::from_secs(3);
/// What a worker gathers before it goes to the socket: the head and a short body in one packet (a TCP segment on
/// Ethernet takes 1460 bytes).
pub const WEB_OUTPUT: usize = 1460;
/// Heap that answers under construction may take together; over it, the next one is a 503.
pub const ANSWER_HEAP: usize = 24 * 1024;
/// Cycles in a waveform when nobody says how many.
pub const WAVEFORM_CYCLES: u32 = 4;
/// How long a client may take to end a connection by itself once it has its answer: it then carries the wait
/// that TCP wants, not the plug.
pub const CLOSE_GRACE: Duration = Duration::from_millis(20);
/// Longest capture: a window of 0.25 s with two cycles before it.
pub const CAPTURE_S: f64 = 0.30;
/// Last words of a run that ended badly: a panic's message and place.
pub const RESET_DETAIL: usize = 160;
/// Networks that a scan tells: a block of flats has more, but nobody reads on.
pub const NETWORKS: usize = 24;
/// Where the plug is on its own access point, as people know it from other plugs.
pub const ACCESS_POINT_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 4, 1);
