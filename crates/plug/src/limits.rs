//! Every buffer size and time-out of the product, each with its reason.

use core::net::Ipv4Addr;
use core::time::Duration;

/// Windows that wait for `run_rest`: 1.2 s at five a second, so that a second's stall loses none.
pub const READING_QUEUE: usize = 6;
/// Relay changes that wait for `run_rest`: a trip with what caused it and what follows it, while the flash erases.
pub const RELAY_QUEUE: usize = 6;
/// Trips whose waveform waits for the flash: as many as it keeps.
pub const TRIP_QUEUE: usize = 3;
/// Commands that wait for the core: one for each web worker and one for the button.
pub const COMMAND_QUEUE: usize = 10;
/// Relay changes kept in memory: what `/api/v1/relay/log` shows where the flash does not answer.
pub const RELAY_LOG: usize = 8;
/// Connections served at once; the chip has a socket for each (2 KB send, 1 KB receive).
pub const WEB_WORKERS: usize = 7;
/// Live event streams at once: at most half of the workers, so that some are always left for the rest.
pub const EVENT_STREAMS: usize = WEB_WORKERS / 2;
/// Who waits for changes of the state at once: each live stream, each worker whose request waits for something to be
/// stored, and set-up.
pub const LISTENERS: usize = EVENT_STREAMS + WEB_WORKERS + 1;
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
/// Body of a change of the settings: more than all of them, as the plug shows them, so that what was exported can come
/// back; a test compares the two.
pub const SETTINGS_BODY: usize = 8192;
/// How long a web handler waits for a change of the settings to be stored: several erases of the flash (0.4 s at most).
pub const SETTINGS_TIMEOUT: Duration = Duration::from_secs(5);
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
/// How long a planned restart waits after it was asked for: the answer to whoever asked is on its way, and a page that
/// is slow to close (`CLOSE_WAIT`) gets it too.
pub const RESTART_DELAY: Duration = Duration::from_millis(500);
/// How long the relay's pin may be held over a planned restart: the promise of the issue and of SAFETY.md. A start takes
/// about 2 s.
pub const RELAY_HOLD: Duration = Duration::from_secs(5);
/// How long `identify` blinks: time to walk through a flat.
pub const IDENTIFY: Duration = Duration::from_secs(30);
/// How often a silent event stream says that it is alive, so that a dead client is found.
pub const EVENT_KEEP_ALIVE: Duration = Duration::from_secs(3);
/// What a worker gathers before it goes to the socket: the head and a short body in one packet (a TCP segment on
/// Ethernet takes 1460 bytes).
pub const WEB_OUTPUT: usize = 1460;
/// Heap that answers under construction may take together; over it, the next one is a 503.
pub const ANSWER_HEAP: usize = 16 * 1024;
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
/// Where phones and computers on it are: as many as a person brings to set a plug up, and the leases are short.
pub const ACCESS_POINT_POOL: usize = 8;
/// How long an address on the access point is lent: phones change their hardware address each time they come, so a
/// place must become free soon; half of it is how often each asks again.
pub const ACCESS_POINT_LEASE: Duration = Duration::from_secs(600);
/// Longest DHCP packet that is read or sent: what every client has to take (RFC 2131 §2: 576 bytes with IP and UDP).
pub const DHCP_PACKET: usize = 548;
/// Longest label of the plug on its network: one of 32 with a number behind it.
pub const MDNS_LABEL: usize = 32 + 3;
/// Longest name of it: with `.local`.
pub const MDNS_NAME: usize = MDNS_LABEL + 6;
/// Longest packet that says who the plug is: everything under the longest name takes 540 bytes.
pub const MDNS_SAYS: usize = 640;
/// How often it is looked whether the plug has another address or is to have another name, and how long the plug waits after
/// an error of the socket.
pub const MDNS_LOOK: Duration = Duration::from_secs(1);
/// How long a packet may take until it is out, and leaving may wait for that.
pub const MDNS_SEND: Duration = Duration::from_millis(200);
/// Longest question for a name that is read, and longest answer: what every resolver takes (RFC 1035 §4.2.1).
pub const NAMES_PACKET: usize = 512;
/// How long the access point's servers rest after an error of their sockets: it may just be opening.
pub const ACCESS_POINT_PAUSE: Duration = Duration::from_secs(1);
/// How long a scan may take: 13 channels of at most 0.3 s passively, and half as much again beside an access point.
pub const SCAN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the shell waits for an address after joining: four attempts of a DHCP client (RFC 2131 §4.1).
pub const ADDRESS_TIMEOUT: Duration = Duration::from_secs(20);
/// How long joining may take as a whole: the password's key (3 s on a small chip), a few attempts, and the address.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(40);
/// How long leaving a network may take: a driver does it in milliseconds. Opening and closing the access point may take as
/// long as joining: the ESP32's driver starts anew for it and joins again.
pub const RADIO_TIMEOUT: Duration = Duration::from_secs(5);
/// First wait after a network was not joined: a router that restarts is worth asking again soon.
pub const RETRY_FIRST: Duration = Duration::from_secs(5);
/// Longest wait: each attempt takes the radio off the access point's channel for seconds, and a person who repairs
/// the network does not want to wait longer.
pub const RETRY_LONGEST: Duration = Duration::from_secs(300);
/// How long a network must hold to count as joined for good.
pub const NETWORK_HOLDS: Duration = Duration::from_secs(60);
/// How long after the last page, change or scan by the access point somebody on it counts as using it: a scan or an attempt to
/// join takes the radio to another channel, and phones drop. Time to find a password and to type it.
pub const PAGE_IN_USE: Duration = Duration::from_secs(600);
/// How long a test of a network waits before the network that is joined is left, and how long it waits before it goes
/// back: the answer to whoever asked gets out.
pub const TEST_DELAY: Duration = Duration::from_secs(1);
/// How long a network that was tested is kept without a confirmation: time for a phone to change its network, or for a
/// person to type another address.
pub const TEST_CONFIRM: Duration = Duration::from_secs(180);
/// How long a web handler waits for a scan: one that began just before it, and one more.
pub const SCAN_WAIT: Duration = Duration::from_secs(12);
/// How long what a scan found is told again: each scan takes the radio off its channel for two seconds.
pub const SCAN_KEPT: Duration = Duration::from_secs(10);
/// Body of a test of a network: its name, its password and four addresses, each character escaped.
pub const WIFI_TEST_BODY: usize = 1024;
/// How long the access point stays open after somebody asked for it at the button: time to find it with a phone, and to
/// change the network.
pub const ACCESS_POINT_ASKED: Duration = Duration::from_secs(600);
/// How long the access point stays open on a plug without an owner, after its start and after each long press: time to
/// unpack, to read and to claim it; not for ever, since its password is known to all.
pub const ACCESS_POINT_SETUP: Duration = Duration::from_secs(1800);
/// How long a change of the radio's settings waits: the answer to whoever made it gets out over the network that is left.
pub const NETWORK_CHANGE: Duration = Duration::from_secs(5);
/// How long a claim waits for the button: the way from a desk to the plug.
pub const CLAIM: Duration = Duration::from_secs(120);
/// Body of a claim: its longest fields, each character of them escaped.
pub const SETUP_BODY: usize = 2048;
/// Body of a new password: its 128 characters, each escaped as two halves.
pub const PASSWORD_BODY: usize = 2048;
/// How often the signal of the joined network is looked at.
pub const SIGNAL_INTERVAL: Duration = Duration::from_secs(5);
/// Longest sentence on why a network was not joined, with a name of 32 bytes in it.
pub const LINK_SENTENCE: usize = 192;
/// Flash for the count of starts, from the beginning of the plug's data partition: two sectors are the least that
/// survives a power cut, four spread the wear (each start writes 16 bytes; 4 sectors of 100 000 erases are for ever).
pub const STARTS_REGION: u32 = crate::storage::layout::STARTS.length;
/// Name of a reset reason.
pub const RESET_REASON: usize = 16;
/// How long a new image may take to prove itself: a router that restarts at the same time takes five minutes at most, and
/// nobody waits longer for a plug that cannot be reached.
pub const PROBATION: Duration = Duration::from_secs(600);
/// A stretch of that time; those that are used up are counted over restarts, and a planned restart uses one up: so an image
/// that restarts itself again and again goes back too, after thirty times at the latest.
pub const PROBATION_STRETCH: Duration = Duration::from_secs(20);
/// How many there are, and one for the restart that the image began with.
pub const PROBATION_STRETCHES: u32 = 1 + (PROBATION.as_secs() / PROBATION_STRETCH.as_secs()) as u32;
/// Windows that a new image must measure: four seconds.
pub const PROBATION_WINDOWS: u32 = 20;
/// What of these windows' time may be lost, as a part of it: an erase (0.4 s) among them is forgiven; with more the count
/// begins anew. A board that loses much is none that measures.
pub const PROBATION_LOST: f64 = 0.1;
/// How often the new image is looked at meanwhile.
pub const PROBATION_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes of the running image that are hashed at once: a millisecond and a half on the chip.
pub const IMAGE_PIECE: usize = 512;
/// Pause between two pieces: the whole image takes a minute, and nobody else feels it.
pub const IMAGE_PAUSE: Duration = Duration::from_millis(20);
/// Crashes in a row after which only what is needed to mend the plug is started; brownouts among them neither count nor
/// end the row. After three bad ends the relay stays open already; what crashes even so does not depend on the load.
pub const SAFE_MODE_STARTS: u8 = 5;
/// Errors of `accept()` in a row from which on nobody can be said to be served: two for each worker.
pub const ACCEPT_ERRORS: u32 = 2 * WEB_WORKERS as u32;
/// How long no sample may come before the core opens the relay: longer than an erase of the flash (0.4 s), in which the
/// interrupt below the core goes on watching.
pub const SAMPLES_MISSING: Duration = Duration::from_millis(500);
/// Pairs in a piece of a trip's waveform: 64 ms at 4 kHz, 2 KB.
pub const PIECE: usize = 256;
/// How long a run must last so that a bad end counts as a new trouble, not as one more of a row: a brown-out that the
/// load causes comes within seconds.
pub const SETTLED: Duration = Duration::from_secs(60);
/// Bad ends in a row, brownouts too, after which the relay stays open until somebody switches it.
pub const BAD_STARTS: u8 = 3;
/// How often the core is asked for more of a trip's waveform: half of what it keeps for sure after the trip.
pub const TRIP_LOOK: Duration = Duration::from_millis(40);
/// How long a trip's waveform may take as a whole; samples that never come do not keep the store.
pub const TRIP_PATIENCE: Duration = Duration::from_secs(5);
/// Days or months in one answer.
pub const ENERGY_ROWS: usize = 62;
/// How often the core is told how warm the chip is: a chip warms up over seconds.
pub const CHIP_TEMPERATURE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a restart waits for the relay, and for the newest energy to be kept: an erase may be under way.
pub const FLUSH_PATIENCE: Duration = Duration::from_secs(2);
/// Rows of the history that wait for the flash, at one a second: erases of other stores on the same chip, and of its own.
pub const HISTORY_QUEUE: usize = 6;
/// How long the name server may take: two questions of a resolver that is asked twice (5 s each, resolv.conf(5)).
pub const OUTSIDE_LOOKUP: Duration = Duration::from_secs(10);
/// How long an address that was looked up holds: most posts come every 10 s, and a name server need not hear of each.
pub const OUTSIDE_ADDRESS_KEPT: Duration = Duration::from_secs(600);
/// How long it holds that a name has no address, and how often at the most the name server is asked for an address at which
/// nobody answers.
pub const OUTSIDE_LOOKUP_PAUSE: Duration = Duration::from_secs(60);
/// Names whose addresses are kept: Emoncms' and those of three time servers.
pub const OUTSIDE_NAMES: usize = 4;
/// How many datagrams that are no answer are passed over while one is waited for.
pub const OUTSIDE_STRANGERS: usize = 32;
/// How long connecting may take: the first packet again after 1, 2 and 4 s (RFC 6298).
pub const OUTSIDE_CONNECT: Duration = Duration::from_secs(10);
/// How long an outbound connection may stand still: Emoncms takes 2 s for a large post, on a slow machine some times that.
pub const OUTSIDE_SILENCE: Duration = Duration::from_secs(15);
/// How long an outbound connection may take as a whole: a server that sends a byte every ten seconds does not stand still.
pub const OUTSIDE_CONNECTION: Duration = Duration::from_secs(60);
/// How long an outbound connection's end may take: one round trip around the world, twice.
pub const OUTSIDE_CLOSE: Duration = Duration::from_secs(1);
/// How long the answer to a datagram may take: time servers that need longer are of no use.
pub const OUTSIDE_DATAGRAM: Duration = Duration::from_secs(3);
/// Longest name of a host (RFC 1035 §2.3.4).
pub const OUTSIDE_HOST: usize = 253;
/// How long an answer may take that comes in pieces: all rows of the history are 3 MB, on a bad Wi-Fi at 5 KB a second.
pub const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(600);
/// How many such answers there are at once; those with fewer rows than [`DOWNLOAD_ROWS`] have [`ANSWER_TIMEOUT`] as any other
/// and do not count. With all live streams open two workers are left for the rest.
pub const DOWNLOADS: usize = 2;
/// From so many rows on an answer is a download: a picture of the history has fewer.
pub const DOWNLOAD_ROWS: u32 = 512;
/// What of such an answer is made at once: most of a packet.
pub const DOWNLOAD_PIECE: usize = 1280;
/// Steps in one answer of the history, empty ones too: more than three weeks at 10 s.
pub const HISTORY_STEPS: u32 = 300_000;
/// Destinations in the ledger: Emoncms, its test and three time servers, each with the lookup of its name, and as many again
/// from before the settings changed.
pub const LEDGER_DESTINATIONS: usize = 16;
/// Hours of each of them: a week.
pub const LEDGER_HOURS: u16 = 7 * 24;
/// Hours of all of them together, 14 bytes each (9.4 KB): Emoncms and a time server, each with its name's lookup, in every hour
/// of a week.
pub const LEDGER_ALL_HOURS: usize = 4 * LEDGER_HOURS as usize;
/// Connections in the ledger: 17 minutes of posts every 10 s; 28 bytes each on the chip (2.8 KB).
pub const LEDGER_CONNECTIONS: usize = 100;
/// Bodies in the ledger: enough to see that they are all of a kind.
pub const LEDGER_BODIES: usize = 5;
/// What the ledger keeps of a body: one packet, some ten rows.
pub const LEDGER_BODY: usize = 1024;
/// Rows of one post while the uplink catches up: what OEM's own hub sends at most; the server takes 0.3 to 1.7 s for them.
pub const UPLINK_ROWS: u32 = 1000;
/// Longest text of one row: eleven names of 16 characters with numbers of 17 digits, node and time.
pub const UPLINK_ROW: usize = 640;
/// What of a post is gathered before it goes to the socket: a row's worth, with every character in three.
pub const UPLINK_OUTPUT: usize = 1024;
/// What is kept of an answer to a post: the longest refusal, and room for a test to show.
pub const UPLINK_ANSWER: usize = 1024;
/// What is kept of the answer about a node: thirty inputs with a few processes each. A longer one is not looked at.
pub const UPLINK_NODE: usize = 4096;
/// Head of an answer: servers behind proxies send 1 to 2 KB. It is read line by line and not kept.
pub const UPLINK_HEAD: usize = 8192;
/// What is kept of a line of that head: the ones that count are short.
pub const UPLINK_HEAD_LINE: usize = 160;
/// What is kept of the server's words.
pub const UPLINK_WORDS: usize = 120;
/// First wait after something failed, and the least.
pub const UPLINK_RETRY_FIRST: Duration = Duration::from_secs(10);
/// Longest wait: a server that comes back is found within that.
pub const UPLINK_RETRY_LONGEST: Duration = Duration::from_secs(600);
/// How often what only a person can mend is tried all the same: somebody may have mended it at the server.
pub const UPLINK_STOPPED_RETRY: Duration = Duration::from_secs(600);
/// How often the cursor is stored at most while rows come one by one: some 80 bytes each time, 28 erases a day over eight
/// sectors.
pub const UPLINK_CURSOR: Duration = Duration::from_secs(60);
/// And where it moved by a large post or was put elsewhere: a server that takes a row at a time, or says something else at
/// each question, wears the flash no faster.
pub const UPLINK_CURSOR_HURRY: Duration = Duration::from_secs(10);
/// How long after a slot's end its row is looked for: a window of 0.25 s ends in the next slot, and the log takes it.
pub const UPLINK_SLOT_LAG: Duration = Duration::from_millis(400);
/// By up to so much more, by chance: a street of plugs does not post in the same instant.
pub const UPLINK_SLOT_SPREAD: Duration = Duration::from_millis(600);
/// How often a row that is due is looked for.
pub const UPLINK_LOOK: Duration = Duration::from_millis(500);
/// How old the newest row may be to be of now: a look comes later than that only after a gap.
pub const UPLINK_RECENT_S: u32 = 60;
/// Longest time without a look at clock, log and network.
pub const UPLINK_LOOK_LONGEST: Duration = Duration::from_secs(10);
/// Single rows that are refused one after the other without a success between: from then on it is not the rows.
pub const UPLINK_REFUSED_ROWS: u32 = 3;
/// And so long between them.
pub const UPLINK_REFUSED_PAUSE: Duration = Duration::from_secs(1);
/// How often the server is asked for its newest row in vain before the plug goes on from its own cursor.
pub const UPLINK_ASKED: u32 = 3;
/// Likewise where it never answers: one that can be posted to all the same may be on a slow disk.
pub const UPLINK_ASKED_SILENT: u32 = 6;
/// How long a web handler waits for a test: a name, a connection and an answer at their slowest.
pub const UPLINK_TEST: Duration = Duration::from_secs(50);
/// How often a time server is asked: the crystal is 0.2 s off after an hour at the worst, and RFC 4330 §10 wants no more
/// than a question a minute.
pub const TIME_POLL: Duration = Duration::from_secs(3600);
/// The first question comes within that, by chance: plugs of a street start together after a power cut.
pub const TIME_FIRST: Duration = Duration::from_secs(2);
/// First pause after a question that was of no use: the least of RFC 4330 §10.
pub const TIME_RETRY: Duration = Duration::from_secs(15);
/// Pause before the next server is asked where one alone is not to be believed: NTP's shortest usual interval.
pub const TIME_DOUBT: Duration = Duration::from_secs(64);
/// Longest pause for a server that wants fewer questions: it may be meant for a moment only.
pub const TIME_SLOWEST: Duration = Duration::from_secs(86_400);
/// How often the settings and the network are looked at for where the time comes from: nobody waits for it longer.
pub const TIME_LOOK: Duration = Duration::from_secs(2);
/// How often a restart looks whether the history has taken its last row: writing it takes a few milliseconds.
pub const HISTORY_LOOK: Duration = Duration::from_millis(20);
/// What of an upload goes to the flash at once: a sector, which also holds all that is judged before the first erase.
pub const UPDATE_PIECE: usize = 4096;
/// How long an upload may stand still.
pub const UPDATE_STALL: Duration = Duration::from_secs(15);
/// How long an upload may take as a whole: 1.3 MB at 2 KB a second. Whoever sends a byte now and then keeps nobody out.
pub const UPDATE_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a place that ElegantOTA's client asked for is kept for it: it uploads at once.
pub const UPDATE_HOLD: Duration = Duration::from_secs(60);
/// No sector is erased while the greatest half cycle is nearer to the instant limit than that part of it.
pub const UPDATE_MARGIN: f64 = 0.2;
/// How long an upload waits for the current to fall: an inrush is over by then.
pub const UPDATE_CALM: Duration = Duration::from_secs(10);
/// How often it looks: a window takes 0.2 s.
pub const UPDATE_CALM_LOOK: Duration = Duration::from_millis(100);
/// How often it looks whether the keys of a package are stored.
pub const UPDATE_KEYS_LOOK: Duration = Duration::from_millis(20);
/// What an upload has around its image at the most: a package's head, and a form's parts.
pub const UPDATE_AROUND: u32 = 4096;
/// How long a body that is not wanted is read all the same, so that its sender sees the answer: a whole flash of 4 MB at
/// 70 KB a second.
pub const UPDATE_DRAIN: Duration = Duration::from_secs(60);
/// And how long it may stand still meanwhile.
pub const UPDATE_DRAIN_SILENCE: Duration = Duration::from_secs(2);
