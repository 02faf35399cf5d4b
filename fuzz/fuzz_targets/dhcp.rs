//! Any packets at all at the access point's address server: an answer that fits, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plug::limits::DHCP_PACKET;
use plug::net::addresses::Pool;

/// Bytes of the input that are one packet: those of a client are about as long.
const PACKET: usize = 300;

fuzz_target!(|input: &[u8]| {
    let mut second = 0;
    let mut pool = Pool::new(|| {
        second += 100;
        second
    });
    let mut buffer = [0; DHCP_PACKET];
    for packet in input.chunks(PACKET) {
        buffer[..packet.len()].copy_from_slice(packet);
        if let Some(answer) = pool.answer(&mut buffer, packet.len()) {
            assert!((240..=DHCP_PACKET).contains(&answer));
            assert_eq!(buffer[0], 2, "a reply");
            assert_eq!(buffer[4..8], packet[4..8], "to the one who asked");
            // Nothing, or one of the pool.
            assert!(
                buffer[16..20] == [0; 4]
                    || (buffer[16..19] == [192, 168, 4] && (2..10).contains(&buffer[19]))
            );
        }
    }
});
