//! The two networks: the one the plug joins (address by DHCP), and the one that it opens (192.168.4.1/24).

use embassy_executor::Spawner;
use embassy_net::{Config, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use esp_radio::wifi::Interface;
use ossp_embassy::{AskingForTime, Listener, NamedTimeServer, Pool, WAY_OUT_SOCKETS};
use plug::limits;
use plug::platform::Random;
use static_cell::{ConstStaticCell, StaticCell};

/// A socket for each web worker, DHCP's, that of the plug's name, and the way out.
const STATION_SOCKETS: usize = limits::WEB_WORKERS + 2 + WAY_OUT_SOCKETS;
/// Web workers that may wait on the access point at once: half of them, the others stay with the joined network.
const ACCESS_POINT_ROOM: usize = limits::WEB_WORKERS / 2;
/// A socket for each of them, those of the servers for addresses and names, and the resolver's, which embassy-net gives
/// every stack.
const ACCESS_POINT_SOCKETS: usize = ACCESS_POINT_ROOM + 3;
const ACCESS_POINT_PREFIX: u8 = 24;

/// The access point's stack as the listener numbers it; the station's is 0.
pub const ACCESS_POINT: usize = 1;

/// Both stacks.
#[derive(Clone, Copy)]
pub struct Networks {
    pub station: Stack<'static>,
    pub access_point: Stack<'static>,
    /// What the joined one says of the time.
    pub time_server: &'static NamedTimeServer,
}

/// Of the same kind on both sides, so that there is one network stack in the image: on the access point there is no DHCP
/// client whose messages it could look at.
type Card = AskingForTime<Interface>;

#[embassy_executor::task(pool_size = 2)]
async fn run(mut runner: Runner<'static, Card>) -> ! {
    runner.run().await
}

/// Bytes of a web worker's socket: an answer's next segment is made while the last is under way; requests are short.
const SEND: usize = 2048;
const RECEIVE: usize = 1024;
const HTTP: u16 = 80;

/// Lets web clients in on both.
#[inline(never)]
pub fn listen(networks: Networks) -> &'static Listener<2> {
    static BUFFERS: ConstStaticCell<Pool<{ limits::WEB_WORKERS }, SEND, RECEIVE>> =
        ConstStaticCell::new(Pool::new());
    static LISTENER: StaticCell<Listener<2>> = StaticCell::new();
    let stacks = [(networks.station, limits::WEB_WORKERS), (networks.access_point, ACCESS_POINT_ROOM)];
    let listener = LISTENER.init(Listener::new(HTTP, BUFFERS.take(), stacks).with_access_point(ACCESS_POINT));
    listener.set_active(ACCESS_POINT, false);
    listener
}

/// Starts both; they wait until the radio has a link.
#[inline(never)]
pub fn start(spawner: Spawner, random: &mut impl Random) -> Networks {
    static STATION_MEMORY: StaticCell<StackResources<STATION_SOCKETS>> = StaticCell::new();
    static ACCESS_POINT_MEMORY: StaticCell<StackResources<ACCESS_POINT_SOCKETS>> = StaticCell::new();
    static TIME_SERVER: NamedTimeServer = NamedTimeServer::new();
    let mut seed = || {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    };
    let own = Config::ipv4_static(StaticConfigV4 {
        address: Ipv4Cidr::new(limits::ACCESS_POINT_ADDRESS, ACCESS_POINT_PREFIX),
        gateway: None,
        dns_servers: Default::default(),
    });
    let (station, station_runner) = embassy_net::new(
        AskingForTime::new(Interface::station(), &TIME_SERVER),
        Config::dhcpv4(Default::default()),
        STATION_MEMORY.init(StackResources::new()),
        seed(),
    );
    let (access_point, access_point_runner) = embassy_net::new(
        AskingForTime::new(Interface::access_point(), &TIME_SERVER),
        own,
        ACCESS_POINT_MEMORY.init(StackResources::new()),
        seed(),
    );
    for runner in [station_runner, access_point_runner] {
        // Two of them are in the pool, and this runs once.
        if let Ok(task) = run(runner) {
            spawner.spawn(task);
        }
    }
    Networks { station, access_point, time_server: &TIME_SERVER }
}
