//! What makes the plug reachable, in safe mode too: the radio, addresses and names on its access point, its own name on
//! the network.

use core::future::pending;

use embassy_futures::join::{join, join3};
use embassy_sync::blocking_mutex::raw::RawMutex;

use super::Parts;
use crate::apart::apart;
use crate::net::{self, Birth};
use crate::platform::{Clock, Credentials, Random};
use crate::web::Plug as Web;

/// What it takes: parts of [`super::Rest`].
pub(super) struct Reach<'a, P: Parts> {
    pub wifi: Option<&'a mut P::Wifi>,
    pub known: Option<&'a Credentials>,
    pub own: &'a Credentials,
    pub access_point_udp: Option<&'a P::Udp>,
    pub multicast: Option<&'a P::Multicast>,
    /// Chance, one for the radio and one for the name.
    pub seeds: [u32; 2],
}

/// One number for each.
pub(super) fn seeds(random: &mut impl Random) -> [u32; 2] {
    let mut bytes = [[0; 4]; 2];
    bytes.iter_mut().for_each(|bytes| random.fill(bytes));
    bytes.map(u32::from_le_bytes)
}

/// Runs for ever; dropping the future leaves the radio as it is.
pub(super) async fn reach<P: Parts, C: Clock, N: Clock, M: RawMutex>(
    reach: Reach<'_, P>,
    web: &Web<'_, C, N, M>,
) -> ! {
    let Reach { wifi, known, own, access_point_udp, multicast, seeds: [seed, chance] } = reach;
    let (clock, state, id) = (web.clock, web.state, &web.identity.id);
    let network = apart(|| async {
        match wifi {
            Some(wifi) => net::run(wifi, clock, state, &Birth { known, own, id, seed }).await,
            None => pending().await,
        }
    });
    let addresses = apart(|| async {
        match access_point_udp {
            Some(sockets) => {
                let addresses = net::addresses::serve(sockets, clock, net::addresses::PORT);
                join(addresses, net::names::serve(sockets, clock, net::names::PORT)).await.0
            }
            None => pending().await,
        }
    });
    let name = apart(|| async {
        match multicast {
            Some(multicast) => net::mdns::serve(multicast, web, chance).await,
            None => pending().await,
        }
    });
    join3(network, addresses, name).await.0
}
