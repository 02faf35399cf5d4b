//! Safe mode: a plug that crashed again and again starts nothing but what is needed to mend it. The relay is open, since
//! no core runs that could close it; nothing is measured, logged or sent; the stores that only those need are not even
//! opened. What is there: the network, who may get in, settings, button and light, the page, and updates.

use core::future::pending;

use edge_nal::TcpAccept;
use embassy_futures::join::{join3, join4, join5};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::mutex::Mutex;

use super::reach::{self, Reach};
use super::{Parts, Rest, inputs, is_due, open_access};
use crate::access::{self, setup};
use crate::apart::apart;
use crate::core::button::ButtonEvent;
use crate::panel;
use crate::platform::{Clock, Restart};
use crate::settings;
use crate::state::Restarting;
use crate::storage::keeper::open_settings;
use crate::storage::region::Shared;
use crate::update;
use crate::web::serve;

/// Runs until the machine restarts; dropping the future is a power cut.
pub(super) async fn run<P, C, N, M>(rest: Rest<'_, P, C, N, M>) -> !
where
    P: Parts,
    <P::Acceptor as TcpAccept>::Error: 'static,
    C: Clock,
    N: Clock,
    M: RawMutex,
{
    let Rest { acceptor, web, mut random, wifi, known, own, access_point_udp, multicast, slots, .. } = rest;
    let (mut button, mut led) = (rest.button, rest.led);
    let (clock, state, link, basis) = (web.clock, web.state, web.link, web.basis);
    let say = |text: &str| state.put_log(clock.time_of_day(), clock.now().since_start().as_secs_f64(), text);
    state.safe_mode.set(true);
    say("safe mode after many crashes: relay open, nothing measured until a restart or an update");
    let (flash, log): (Shared<P::Flash>, Shared<P::Flash>) = (Mutex::new(rest.flash), Mutex::new(rest.log));
    let (mut settling, was_reset) =
        apart(|| open_settings(&flash, &log, state, basis, web.defaults, &web.identity.id, say)).await;
    let mut owning = apart(|| open_access(&flash, state, &mut random, &web.identity.id, say)).await;
    let seeds = reach::seeds(&mut random);
    let reachable = Reach::<P> { wifi, known, own, access_point_udp, multicast, seeds };
    let network = apart(|| reach::reach(reachable, web));
    let updates = apart(|| async {
        match slots {
            Some(slots) => {
                update::task::run(slots, web, update::task::Found { measures: false, was_reset }).await
            }
            None => pending().await,
        }
    });
    let pressed = |event| match event {
        ButtonEvent::Short => {
            state.setup.confirm(web.network_clock.now());
        }
        ButtonEvent::Long => state.access_point_wanted.signal(()),
        ButtonEvent::VeryLong => state.restart.signal(Restarting::FactoryReset),
    };
    let restart = async {
        loop {
            let why = state.restart.wait().await;
            if is_due(why, &flash, say).await {
                web.machine.request_restart(Restart::default());
            }
        }
    };
    let nobody_listens = async {
        loop {
            // Whoever sends something to the core must not wait for it.
            link.commands.receive().await;
        }
    };
    let panel = join4(
        apart(|| panel::button(&mut button, clock, &state.panel, pressed)),
        apart(|| panel::led(&mut led, clock, &state.panel, || inputs(state, web.network_clock.now()))),
        apart(|| setup::run(state, say)),
        apart(|| access::run(&mut owning, state, say)),
    );
    let small = join3(
        apart(|| settings::run(&mut settling, state, basis, async |_| {})),
        apart(|| restart),
        nobody_listens,
    );
    let web = apart(|| serve(acceptor, web));
    join5(network, updates, panel, small, web).await.4
}
