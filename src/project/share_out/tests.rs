//! Pieces shared out among made-up devices.

use std::sync::Mutex;

use super::*;

/// What happened: the pieces that each device began, and those that it ended.
#[derive(Debug, Default, PartialEq)]
struct Course {
    begun: Vec<(usize, usize)>,
    ended: Vec<(usize, usize)>,
    lost: Vec<usize>,
}

fn course(
    devices: usize,
    weights: &[f64],
    resumed: bool,
    work: Work<'_, usize>,
) -> (Result<Shared<usize>>, Course) {
    let mut course = Course::default();
    let open = (0..weights.len()).collect();
    let pieces = Pieces { weights, parts: vec![0.0; weights.len()], open, resumed };
    let shared = share_out(devices, pieces, work, &mut (), &mut |_, device, seen| match seen {
        Seen::Begun(piece) => course.begun.push((device, piece)),
        Seen::Ended(piece, result) => course.ended.push((*result, piece)),
        Seen::Lost(_) => course.lost.push(device),
    });
    (shared, course)
}

/// Goes on in steps of a hundredth that take so long, from the part that is done; stops when it is asked to.
fn steps(done: &Mutex<u32>, each: Duration, observer: &mut dyn Observer) -> bool {
    let mut done = done.lock().unwrap();
    observer.see(Event::Progress { done: 0.0, part: f64::from(*done) / 100.0 });
    while *done < 100 && !observer.stops() {
        thread::sleep(each);
        *done += 1;
        observer.see(Event::Progress { done: 0.0, part: f64::from(*done) / 100.0 });
    }
    *done == 100
}

fn broken() -> Error {
    Failure::gpu("go on", "it was lost").into()
}

#[test]
fn an_idle_worker_takes_the_next_piece() {
    // The first device has its piece until all others are done.
    let left = Mutex::new(5);
    let work = |device: usize, piece: usize, _: &mut dyn Observer| {
        while piece == 0 && *left.lock().unwrap() > 0 {
            thread::sleep(Duration::from_millis(1));
        }
        if piece > 0 {
            *left.lock().unwrap() -= 1;
        }
        Ok(Some(device))
    };
    let (shared, course) = course(2, &[1.0; 6], true, &work);
    let done = shared.unwrap().done;
    let slow = done[0].unwrap();
    assert_eq!(done, [slow, 1 - slow, 1 - slow, 1 - slow, 1 - slow, 1 - slow].map(Some));
    assert_eq!((course.ended.len(), &course.lost[..]), (6, &[][..]));
}

#[test]
fn what_a_failing_device_had_is_done_by_others() {
    // It fails when the other has nothing left to do.
    let others = Mutex::new(0);
    let work = |device: usize, _: usize, _: &mut dyn Observer| {
        if device == 1 {
            while *others.lock().unwrap() < 3 {
                thread::sleep(Duration::from_millis(1));
            }
            return Err(broken().with(crate::project::Left::Images("x".into())));
        }
        thread::sleep(Duration::from_millis(10));
        *others.lock().unwrap() += 1;
        Ok(Some(device))
    };
    let (shared, course) = course(2, &[1.0; 4], true, &work);
    let shared = shared.unwrap();
    assert_eq!((shared.done, shared.alive), (vec![Some(0); 4], vec![true, false]));
    assert_eq!((course.begun.len(), course.lost), (5, vec![1]));

    let (shared, all) = self::course(2, &[1.0; 4], true, &|_, _, _| Err(broken()));
    let shared = shared.unwrap();
    assert_eq!((shared.alive, all.lost.len(), all.ended.len()), (vec![false; 2], 2, 0));
    assert!(shared.failure.is_some());
}

#[test]
fn other_failures_end_all_work() {
    let begun = Mutex::new(0);
    let work = |_: usize, piece: usize, observer: &mut dyn Observer| {
        *begun.lock().unwrap() += 1;
        if piece == 0 {
            return Err(Error::Busy("x".into()));
        }
        while !observer.stops() {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(None)
    };
    let (shared, course) = course(2, &[1.0; 9], true, &work);
    assert!(matches!(shared, Err(Error::Busy(_))));
    assert!(*begun.lock().unwrap() <= 2 && course.ended.is_empty());
}

#[test]
fn a_slow_device_gives_its_last_piece_to_one_that_is_idle() {
    let done: Vec<_> = (0..3).map(|_| Mutex::new(0)).collect();
    let work = |device: usize, piece: usize, observer: &mut dyn Observer| {
        let each = Duration::from_millis([200, 2][device]);
        Ok(steps(&done[piece], each, observer).then_some(device))
    };
    let begun = Instant::now();
    let (shared, all) = course(2, &[1.0; 3], true, &work);
    // Alone it would have taken 20 seconds for its piece.
    assert!(begun.elapsed() < Duration::from_secs(15));
    let slow = all.begun.iter().find(|(device, _)| *device == 0).unwrap().1;
    assert_eq!(shared.unwrap().done, [Some(1); 3]);
    assert_eq!(all.begun.last(), Some(&(1, slow)));
    assert_eq!(all.begun.len(), 4);
}
