//! Boards on paper: pins, ranges, filters, and the error budget of docs/boards.md.

#[path = "../../../firmware/src/boards/devkit_c6.rs"]
mod devkit_c6;
#[path = "../../../firmware/src/boards/devkit_esp32.rs"]
mod devkit_esp32;
#[path = "../../../firmware/src/boards/devkit_s3.rs"]
mod devkit_s3;
#[path = "../../../firmware/src/boards/ossp_devkit_c3.rs"]
mod ossp_devkit_c3;
#[path = "../../../firmware/src/boards/ossp_devkit_c3_sct013.rs"]
mod ossp_devkit_c3_sct013;

#[test]
fn show() {
    for b in [
        ossp_devkit_c3::BOARD,
        ossp_devkit_c3_sct013::BOARD,
        devkit_c6::BOARD,
        devkit_esp32::BOARD,
        devkit_s3::BOARD,
    ] {
        println!("{} {:?}\n{:?}", b.name, b.front_end(None), b.calibration(None));
        if let Some(a) = b.analog {
            for c in [a.voltage, a.current] {
                println!(
                    "{} gain {:?} rest {:?} corner {:?} late {:?} peak {}",
                    c.sensor.name,
                    c.gain(),
                    c.rest(),
                    c.network.corner(),
                    c.late(),
                    c.largest_peak(&a.converter)
                );
            }
            println!("noise {:?}", a.expected_noise());
        }
    }
}
