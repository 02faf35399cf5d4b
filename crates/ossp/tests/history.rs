//! The log on the plug: how far it reaches back, what becomes of the time, what makes room.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod history_support;

use history_support::{
    NOON, look, number, read_all, read_coarse, row, start, unplaced, unplaced_rows, whole_log,
};
use ossp::sim::flash::SimFlash;
use plug::history::{Chunk, Dropped, History, HistoryError, Row, Rows};
use plug::storage::archive::{Found, Query};

const DAY: u32 = 86_400;

/// Appends rows of 10 s from `from` to `to`, numbered by their time, in a start that knows the time.
async fn append_10s(history: &History<'_, SimFlash>, from: u32, to: u32) {
    for time in (from + 10..=to).step_by(10) {
        let row = row((time - NOON) / 10, Some(time), f64::from(time - NOON), 10);
        history.append(row).await.unwrap();
    }
}

fn times(rows: &[Row]) -> Vec<u32> {
    rows.iter().map(|row| row.time.unwrap()).collect()
}

#[test]
fn three_days_at_10_s_and_three_weeks_at_5_minutes_are_always_there_and_wear_is_even() {
    let (mut flash, _) = start(whole_log(), 1, async |history| {
        let mut rows = Chunk::new();
        let mut checked = 0;
        for day in 0..26 {
            // A piece that ends anywhere in a sector.
            for (from, to) in [(0, 40_570), (40_570, 41_230), (41_230, DAY)] {
                append_10s(history, NOON + day * DAY + from, NOON + day * DAY + to).await;
                let now = NOON + day * DAY + to;
                if now > NOON + 3 * DAY {
                    history.read(now - 3 * DAY, now, &mut rows).await.unwrap();
                    let first = rows.first().unwrap();
                    assert_eq!((first.time, first.interval_s), (Some(now - 3 * DAY + 10), 10));
                }
                if now > NOON + 21 * DAY {
                    history.read(now - 21 * DAY, now, &mut rows).await.unwrap();
                    let first = rows.first().unwrap();
                    let expected = (now - 21 * DAY + 1).next_multiple_of(300);
                    assert_eq!((first.time, first.interval_s), (Some(expected), 300));
                    checked += 1;
                }
            }
        }
        assert!(checked > 12);
    });
    let (fine, coarse) = (26.0 * 8640.0 / 127.0, 26.0 * 288.0 / 127.0);
    let expected = f64::ceil(fine) + f64::ceil(coarse);
    assert!((flash.erases() as f64 - expected).abs() <= 2.0, "{} erases, {expected}", flash.erases());
    assert_eq!(flash.most_erases(), (fine / 206.0).ceil() as u32, "each sector as often as the others");
    let all = look(&mut flash, async |history| read_all(history, 0, u32::MAX).await.unwrap());
    let now = NOON + 26 * DAY;
    let border = all.iter().position(|row| row.interval_s == 10).unwrap();
    assert!(all[..border].iter().all(|row| row.interval_s == 300));
    let (means, short) = all.split_at(border);
    assert!(means.windows(2).all(|pair| pair[1].time.unwrap() - pair[0].time.unwrap() == 300));
    assert!(short.windows(2).all(|pair| pair[1].time.unwrap() - pair[0].time.unwrap() == 10));
    assert_eq!(means.last().unwrap().time.unwrap() + 10, short[0].time.unwrap(), "they join");
    assert_eq!(short.last().unwrap().time, Some(now));
    for one in short {
        assert_eq!(*one, Row { boot: 1, ..row((one.time.unwrap() - NOON) / 10, one.time, one.uptime_s, 10) });
    }
    check_means(means);
}

/// Each mean is that of its 30 rows.
fn check_means(means: &[Row]) {
    for mean in means {
        let last = (mean.time.unwrap() - NOON) / 10;
        let rows: Vec<Row> = (last - 29..=last).map(|number| row(number, None, 0.0, 10)).collect();
        let all = rows.iter().map(|row| row.measured).sum::<f64>();
        let power = rows.iter().map(|row| row.active_power_w * row.measured).sum::<f64>() / all;
        assert!((mean.active_power_w - power).abs() < 0.006, "{mean:?}: {power}");
        assert!((mean.measured - all / 30.0).abs() < 0.002);
        let least = rows.iter().map(|row| row.power_min_w).fold(f64::MAX, f64::min);
        assert!((mean.power_min_w - least).abs() < 0.02);
        assert_eq!((number(mean), mean.export), (last, rows[29].export));
    }
}

#[test]
fn a_clock_that_arrives_late_gives_all_rows_of_its_start_their_time() {
    // After 500 rows, that is four sectors later.
    let (mut flash, _) = start(whole_log(), 4, async |history| {
        for index in 1..=500 {
            history.append(row(index, None, f64::from(index * 10), 10)).await.unwrap();
        }
        assert_eq!(history.newest().await, Ok(None));
        assert_eq!(unplaced(history).await.len(), 1);
        // Its start was at NOON + 3.7 s.
        for index in 501..=600 {
            let time = NOON + index * 10 + 10;
            history.append(row(index, Some(time), f64::from(time - NOON) - 3.7, 10)).await.unwrap();
        }
    });
    let (all, lost) = look(&mut flash, async |history| {
        (read_all(history, 0, u32::MAX).await.unwrap(), unplaced(history).await)
    });
    assert_eq!(lost, []);
    assert_eq!(all.iter().map(number).collect::<Vec<_>>(), (1..=600).collect::<Vec<_>>());
    // The second in which each ended.
    assert_eq!(all[0].time, Some(NOON + 13));
    assert_eq!((all[499].time, all[500].time), (Some(NOON + 5003), Some(NOON + 5020)));
    assert!(all.iter().all(|row| row.boot == 4));
}

/// The first answer was wrong, and put right minutes later: the rows before it go by what was right.
#[test]
fn rows_that_waited_for_the_time_do_not_keep_a_wrong_one() {
    for (waited, wrong, off_s) in [
        (100, 5, 10 * DAY as i32),
        (100, 5, -10 * DAY as i32),
        (300, 12, 3000),
        (1, 1, 10 * DAY as i32),
        (120, 10, 10 * DAY as i32),
        (126, 40, 10 * DAY as i32),
        (127, 3, 10 * DAY as i32),
        (254, 100, 10 * DAY as i32),
    ] {
        let (mut flash, _) = start(whole_log(), 4, async |history| {
            for index in 1..=waited {
                history.append(row(index, None, f64::from(index * 10), 10)).await.unwrap();
            }
            for index in waited + 1..=waited + wrong {
                let time = (NOON + index * 10).checked_add_signed(off_s).unwrap();
                history.append(row(index, Some(time), f64::from(index * 10), 10)).await.unwrap();
            }
            for index in waited + wrong + 1..=900 {
                history.append(row(index, Some(NOON + index * 10), f64::from(index * 10), 10)).await.unwrap();
            }
        });
        let all = look(&mut flash, async |history| read_all(history, 0, u32::MAX).await.unwrap());
        let waiting: Vec<u32> =
            all.iter().filter(|row| number(row) <= waited).map(|row| row.time.unwrap()).collect();
        let wanted: Vec<u32> = (1..=waited).map(|index| NOON + index * 10).collect();
        assert_eq!(waiting, wanted, "{waited} {wrong} {off_s}");
        let right = all.iter().filter(|row| number(row) > waited + wrong).count();
        assert_eq!(right as u32, 900 - waited - wrong);
    }
}

/// Somebody read to the end while the newest start did not know the time yet, and goes on from there.
#[test]
fn rows_that_were_passed_over_without_a_time_are_read_when_they_have_one() {
    for waited in [50, 126, 127, 200] {
        let (flash, _) = start(whole_log(), 1, async |history| append_10s(history, NOON, NOON + 1000).await);
        start(flash, 2, async |history| {
            for index in 1..=waited {
                history.append(row(1000 + index, None, f64::from(index * 10), 10)).await.unwrap();
            }
            let before = read_all(history, NOON + 500, u32::MAX).await.unwrap();
            assert_eq!(before.last().unwrap().time, Some(NOON + 1000));
            for index in waited + 1..=waited + 3 {
                let time = Some(NOON + 5000 + index * 10);
                history.append(row(1000 + index, time, f64::from(index * 10), 10)).await.unwrap();
            }
            let behind = read_all(history, NOON + 1000, u32::MAX).await.unwrap();
            let wanted: Vec<u32> = (1..=waited + 3).map(|index| NOON + 5000 + index * 10).collect();
            assert_eq!(times(&behind), wanted, "{waited}");
        });
    }
}

/// The clock of a start is half a minute behind that of the start before: what was newest is newest, after a restart too.
#[test]
fn a_clock_that_is_a_little_behind_does_not_make_the_newest_row_older() {
    for rows in [100, 125, 126, 127, 128] {
        let newest = NOON + rows * 10;
        let (flash, _) = start(whole_log(), 1, async |history| append_10s(history, NOON, newest).await);
        let (mut flash, _) = start(flash, 2, async |history| {
            for index in 0..2 {
                let time = Some(newest - 30 + index * 10);
                history.append(row(1000 + index, time, f64::from(10 + index * 10), 10)).await.unwrap();
                assert_eq!(history.newest().await, Ok(Some(newest)));
            }
        });
        assert_eq!(look(&mut flash, async |history| history.newest().await), Ok(Some(newest)), "{rows}");
        // Put back by more, it is older.
        let (mut flash, _) = start(flash, 3, async |history| {
            history.append(row(2000, Some(newest - 500), 10.0, 10)).await.unwrap();
        });
        assert_eq!(look(&mut flash, async |history| history.newest().await), Ok(Some(newest - 500)));
    }
}

#[test]
fn a_start_without_a_time_is_told_from_its_first_row_on() {
    let (flash, _) = start(whole_log(), 1, async |history| {
        history.append(row(1, None, 10.0, 10)).await.unwrap();
        let starts = unplaced(history).await;
        assert_eq!(starts.len(), 1);
        assert_eq!((starts[0].boot, starts[0].to_uptime_s, starts[0].rows), (1, 10.0, 1));
    });
    let (_, told) = start(flash, 2, async |history| {
        for index in 1..=40 {
            history.append(row(index, None, f64::from(index * 10), 10)).await.unwrap();
        }
        unplaced(history).await.iter().map(|start| (start.boot, start.to_uptime_s)).collect::<Vec<_>>()
    });
    assert_eq!(told, [(1, 10.0), (2, 400.0)]);
}

#[test]
fn starts_that_never_learn_the_time_stay_marked_and_are_never_among_the_others() {
    let (flash, _) = start(whole_log(), 1, async |history| append_10s(history, NOON, NOON + 1000).await);
    let (flash, _) = start(flash, 2, async |history| {
        for index in 1..=400 {
            history.append(row(index, None, f64::from(index * 10), 10)).await.unwrap();
        }
    });
    let (mut flash, _) = start(flash, 3, async |history| {
        append_10s(history, NOON + 9000, NOON + 9500).await;
    });
    look(&mut flash, async |history| {
        let all = read_all(history, 0, u32::MAX).await.unwrap();
        let expected: Vec<u32> = (1..=100).chain(901..=950).map(|index| NOON + index * 10).collect();
        assert_eq!(times(&all), expected);
        let starts = unplaced(history).await;
        assert_eq!(starts.len(), 1);
        assert_eq!((starts[0].boot, starts[0].from_uptime_s, starts[0].to_uptime_s), (2, 0.0, 4000.0));
        let rows = unplaced_rows(history, 2).await;
        assert_eq!(rows.iter().map(number).collect::<Vec<_>>(), (1..=400).collect::<Vec<_>>());
        assert!(rows.iter().all(|row| row.time.is_none()));
        assert_eq!(unplaced_rows(history, 1).await, []);
        assert_eq!(unplaced_rows(history, 77).await, []);
    });
}

#[test]
fn a_long_start_without_a_time_is_read_from_the_means_and_then_row_by_row() {
    let (mut flash, _) = start(whole_log(), 1, async |history| {
        for index in 1..=5 * 8640 {
            history.append(row(index, None, f64::from(index * 10), 10)).await.unwrap();
        }
    });
    let rows = look(&mut flash, async |history| unplaced_rows(history, 1).await);
    let border = rows.iter().position(|row| row.interval_s == 10).unwrap();
    assert!((500..700).contains(&border) && rows.len() - border > 3 * 8640);
    let joined =
        rows.windows(2).all(|pair| pair[1].uptime_s - pair[0].uptime_s == f64::from(pair[1].interval_s));
    assert!(joined && rows[0].uptime_s == 300.0 && rows.last().unwrap().uptime_s == 432_000.0);
}

#[test]
fn where_the_clock_was_put_back_what_was_written_later_counts() {
    let (mut flash, _) = start(whole_log(), 1, async |history| {
        append_10s(history, NOON, NOON + 7200).await;
        for index in 1..=900 {
            let time = NOON + 3600 + index * 10;
            history.append(row(10_000 + index, Some(time), f64::from(7200 + index * 10), 10)).await.unwrap();
        }
    });
    let all = look(&mut flash, async |history| {
        let all = read_all(history, 0, u32::MAX).await.unwrap();
        for after in (0..12_600).step_by(130) {
            let some = read_all(history, NOON + after, u32::MAX).await.unwrap();
            let expected = all.iter().filter(|row| row.time > Some(NOON + after)).copied();
            assert_eq!(some, expected.collect::<Vec<_>>(), "wherever one begins");
        }
        all
    });
    assert_eq!(times(&all), (1..=1260).map(|index| NOON + index * 10).collect::<Vec<_>>());
    assert!(all[..360].iter().all(|row| number(row) < 10_000));
    assert!(all[360..].iter().all(|row| number(row) > 10_000));
}

#[test]
fn a_step_forward_is_a_gap() {
    let (mut flash, _) = start(whole_log(), 1, async |history| {
        append_10s(history, NOON, NOON + 1000).await;
        append_10s(history, NOON + 8 * DAY, NOON + 8 * DAY + 1000).await;
    });
    look(&mut flash, async |history| {
        let all = read_all(history, NOON + 990, u32::MAX).await.unwrap();
        assert_eq!(times(&all)[..2], [NOON + 1000, NOON + 8 * DAY + 10]);
        assert_eq!(all.len(), 101);
        assert_eq!(history.count(0, u32::MAX).await, Ok(201), "a base takes a slot");
        assert_eq!(history.count(NOON + 2000, NOON + DAY).await, Ok(0));
        assert_eq!(history.oldest().await, Ok(Some(NOON + 10)));
        assert_eq!(history.newest().await, Ok(Some(NOON + 8 * DAY + 1000)));
    });
}

#[test]
fn a_window_that_a_restart_cut_in_two_is_one_row() {
    let (flash, _) = start(whole_log(), 1, async |history| {
        append_10s(history, NOON, NOON + 320).await;
        let half = Row { measured: 102.0 / 255.0, ..row(33, Some(NOON + 330), 330.0, 10) };
        history.append(half).await.unwrap();
    });
    let (mut flash, _) = start(flash, 2, async |history| {
        let half = Row { measured: 51.0 / 255.0, ..row(34, Some(NOON + 330), 2.0, 10) };
        history.append(half).await.unwrap();
        append_10s(history, NOON + 330, NOON + 1500).await;
    });
    look(&mut flash, async |history| {
        let all = read_all(history, 0, u32::MAX).await.unwrap();
        assert_eq!(times(&all), (1..=150).map(|index| NOON + index * 10).collect::<Vec<_>>());
        let both = all[32];
        assert!((both.measured - 153.0 / 255.0).abs() < 1e-9);
        assert_eq!((both.boot, number(&both)), (2, 34));
        let power =
            (row(33, None, 0.0, 10).active_power_w * 2.0 + row(34, None, 0.0, 10).active_power_w) / 3.0;
        assert!((both.active_power_w - power).abs() < 1e-9);
        // In chunks that end anywhere.
        for after in 0..34 {
            let mut rows = Chunk::new();
            history.read(NOON + after * 10, NOON + 400, &mut rows).await.unwrap();
            assert!(rows.windows(2).all(|pair| pair[1].time > pair[0].time));
            assert!(rows.iter().filter(|row| row.time == both.time).all(|row| *row == both));
        }
        // The means too: the start made up for the window of the power cut.
        let means = read_coarse(history, 0).await;
        // It ends where its rows do.
        let ends = [300, 330, 600, 900, 1200, 1500].map(|seconds| NOON + seconds);
        assert_eq!(times(&means)[..5], ends[..5]);
        assert_eq!((means[1].boot, number(&means[1]), means[2].boot, number(&means[2])), (1, 33, 2, 60));
        let measured: f64 = all[30..60].iter().map(|row| row.measured / 30.0).sum();
        assert!((means[1].measured + means[2].measured - measured).abs() < 0.01, "{measured}");
    });
}

#[test]
fn another_interval_begins_behind_the_old_one() {
    let (mut flash, _) = start(whole_log(), 1, async |history| {
        append_10s(history, NOON, NOON + 600).await;
        for second in 601..=900 {
            history.append(row(second, Some(NOON + second), f64::from(second), 1)).await.unwrap();
        }
        for hour in 1..=3 {
            let seconds = hour * 3600;
            history.append(row(seconds, Some(NOON + seconds), f64::from(seconds), 3600)).await.unwrap();
        }
    });
    look(&mut flash, async |history| {
        let all = read_all(history, 0, u32::MAX).await.unwrap();
        let lengths: Vec<u32> = all.iter().map(|row| row.interval_s).collect();
        assert_eq!(lengths, [vec![10; 60], vec![1; 300], vec![3600; 3]].concat());
        let means = read_coarse(history, 0).await;
        let ends: Vec<_> = means.iter().map(|row| (row.time.unwrap() - NOON, row.interval_s)).collect();
        assert_eq!(ends, [(300, 300), (600, 300), (900, 300), (3600, 3600), (7200, 3600), (10_800, 3600)]);
    });
}

#[test]
fn a_start_that_runs_for_14_years_goes_on_telling_the_time() {
    let long = 14.0 * 365.0 * 86_400.0;
    let (mut flash, _) = start(whole_log(), 1, async |history| {
        for index in 1..=300 {
            let uptime_s = long + f64::from(index * 10);
            history.append(row(index, Some(NOON + index * 10), uptime_s, 10)).await.unwrap();
        }
    });
    let (mut timeless, _) = start(whole_log(), 1, async |history| {
        for index in 1..=300 {
            history.append(row(index, None, long + f64::from(index * 10), 10)).await.unwrap();
        }
    });
    let all = look(&mut flash, async |history| read_all(history, 0, u32::MAX).await.unwrap());
    assert_eq!(times(&all), (1..=300).map(|index| NOON + index * 10).collect::<Vec<_>>());
    assert_eq!(look(&mut timeless, async |history| read_all(history, 0, u32::MAX).await), Ok(vec![]));
}

#[test]
fn starts_whose_number_went_back_are_told_apart() {
    let (flash, _) = start(whole_log(), 40, async |history| append_10s(history, NOON, NOON + 50).await);
    // The count of starts was lost.
    let (flash, _) = start(flash, 0, async |history| {
        history.append(row(6, None, 10.0, 10)).await.unwrap();
    });
    let (mut flash, _) = start(flash, 1, async |history| append_10s(history, NOON + 990, NOON + 1010).await);
    look(&mut flash, async |history| {
        let boots: Vec<_> =
            read_all(history, 0, u32::MAX).await.unwrap().iter().map(|row| row.boot).collect();
        assert_eq!(boots, [40, 40, 40, 40, 40, 42, 42]);
        assert_eq!(unplaced_rows(history, 41).await.len(), 1);
    });
}

#[test]
fn what_makes_room_while_it_is_wanted_is_counted() {
    let (_, dropped) = start(whole_log(), 1, async |history| {
        let mut dropped = Vec::new();
        history.wanted_after(Some(NOON + 1000));
        for day in 0..24 {
            append_10s(history, NOON + day * DAY, NOON + (day + 1) * DAY).await;
            dropped.push(history.dropped());
        }
        history.wanted_after(Some(NOON + 24 * DAY));
        append_10s(history, NOON + 24 * DAY, NOON + 25 * DAY).await;
        dropped.push(history.dropped());
        history.wanted_after(None);
        append_10s(history, NOON + 25 * DAY, NOON + 26 * DAY).await;
        dropped.push(history.dropped());
        dropped
    });
    assert_eq!(dropped[2], Dropped::default(), "three days fit");
    // All that was written but what is there still and what was not wanted.
    let (fine, coarse) = (24 * 8640_u32, 24 * 288_u32);
    let Dropped { thinned, lost } = dropped[23];
    assert_eq!(thinned, (fine - 1).div_ceil(127) * 127 - 206 * 127 - 100);
    assert_eq!(lost, (coarse - 1).div_ceil(127) * 127 - 50 * 127 - 3);
    assert_eq!((dropped[24], dropped[25]), (dropped[23], dropped[23]));
}

#[test]
fn without_a_flash_or_with_a_tiny_one_there_is_no_history() {
    let (_, result) = start(SimFlash::new(4, 1), 1, async |history| {
        assert_eq!(history.append(row(1, None, 10.0, 10)).await, Err(HistoryError::Missing));
        assert!(history.find(Query::HistorySpan).await.is_none());
        history.newest().await
    });
    assert_eq!(result, Err(HistoryError::Missing));
}

#[test]
fn a_flash_that_breaks_is_an_error_and_an_empty_log_is_none() {
    let mut broken = whole_log();
    broken.break_down();
    let (_, result) = start(broken, 1, async |history| history.append(row(1, None, 10.0, 10)).await);
    assert_eq!(result, Err(HistoryError::Flash));
    let (_, span) = start(whole_log(), 1, async |history| history.find(Query::HistorySpan).await);
    assert!(matches!(span, Some(Found::HistorySpan(None))));
    let (_, span) = start(whole_log(), 1, async |history| {
        append_10s(history, NOON, NOON + 60).await;
        history.find(Query::HistorySpan).await
    });
    assert!(matches!(span, Some(Found::HistorySpan(Some((from, to)))) if (from, to) == (NOON, NOON + 60)));
}

#[test]
fn whoever_reads_on_is_not_sent_back_by_others_or_by_what_is_written() {
    let (_, ()) = start(whole_log(), 1, async |history| {
        append_10s(history, NOON, NOON + DAY).await;
        let (mut one, mut other) = (NOON, NOON + DAY / 2);
        let (mut seen, mut rows) = ([Vec::new(), Vec::new()], Chunk::new());
        for turn in 0..400 {
            history.read(one, u32::MAX, &mut rows).await.unwrap();
            seen[0].extend_from_slice(&rows);
            one = rows.last().map_or(one, |row| row.time.unwrap());
            history.read(other, u32::MAX, &mut rows).await.unwrap();
            seen[1].extend_from_slice(&rows);
            other = rows.last().map_or(other, |row| row.time.unwrap());
            append_10s(history, NOON + DAY + turn * 10, NOON + DAY + turn * 10 + 10).await;
        }
        let expected =
            |from: u32, count: usize| (1..=count as u32).map(|row| NOON + from + row * 10).collect();
        let expected: [Vec<u32>; 2] = [expected(0, seen[0].len()), expected(DAY / 2, seen[1].len())];
        assert_eq!([times(&seen[0]), times(&seen[1])], expected);
        assert!(seen[0].len() >= 3200 && seen[1].len() >= 3200);
    });
}

#[test]
fn a_mean_of_a_start_that_was_cut_hides_no_rows_of_the_next_one() {
    // The rows of the first start, a sector, make room. The second one begins in the same five minutes, without the time.
    let (flash, _) = start(whole_log(), 1, async |history| append_10s(history, NOON, NOON + 1270).await);
    let (mut flash, _) = start(flash, 2, async |history| {
        for index in 1..=31 {
            history.append(row(127 + index, None, f64::from(index * 10), 10)).await.unwrap();
        }
        for index in 32..=205 * 127 {
            let uptime_s = f64::from(index * 10) - 5.0;
            history.append(row(127 + index, Some(NOON + 1280 + index * 10), uptime_s, 10)).await.unwrap();
        }
    });
    let all = look(&mut flash, async |history| read_all(history, 0, u32::MAX).await.unwrap());
    let means = all.iter().take_while(|row| row.interval_s == 300).count();
    assert_eq!((means, all[means - 1].boot, all[means - 1].time), (5, 1, Some(NOON + 1270)));
    assert_eq!(all[means].time, Some(NOON + 1295));
    let expected: Vec<u32> = (127..=127 + 205 * 127).collect();
    assert_eq!(all[means - 1..].iter().map(number).collect::<Vec<_>>(), expected, "no row is left out");
}
