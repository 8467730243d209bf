use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::port::{Notification, Outgoing};

fn current() -> Arc<Driver> {
    Driver::current("a test").unwrap()
}

fn number_in(mut parcel: Parcel) -> u32 {
    parcel.open().unwrap().decode::<u32>().unwrap()
}

fn answer(expected: &Expected, number: u32) {
    let right = expected.port().make_send_once().unwrap();
    let mut buffer = MessageBuffer::new();
    Outgoing::message(&mut buffer, &number).unwrap().move_send_once(&right).send(Deadline::never()).unwrap();
}

fn come(mut expected: Expected) -> Option<Parcel> {
    block_on(poll_fn(|cx| expected.poll(cx)))
}

#[test]
fn what_is_expected_comes() {
    let driver = current();
    for number in 0..100 {
        let expected = Expected::new(&driver, None).unwrap();
        assert!(!expected.is_ready());
        answer(&expected, number);
        assert_eq!(number_in(come(expected).unwrap()), number);
    }
}

#[test]
fn many_are_expected_at_once_and_each_gets_its_own() {
    let driver = current();
    let all: Vec<Expected> = (0..2000).map(|_| Expected::new(&driver, None).unwrap()).collect();
    (0..2000).zip(&all).rev().for_each(|(number, expected)| answer(expected, number));
    for (number, expected) in (0..).zip(all) {
        assert_eq!(number_in(come(expected).unwrap()), number);
    }
}

#[test]
fn a_right_that_is_dropped_is_an_answer_too() {
    let expected = Expected::new(&current(), None).unwrap();
    drop(expected.port().make_send_once().unwrap());
    let mut parcel = come(expected).unwrap();
    assert!(matches!(parcel.open().unwrap().notification(), Some(Notification::SendOnce)));
}

#[test]
fn the_deadline_ends_the_wait_and_the_right() {
    let deadline = Instant::now() + Duration::from_millis(20);
    // A later deadline is there first, so that the driver has to be roused.
    let _later = Expected::new(&current(), Some(deadline + Duration::from_secs(600))).unwrap();
    let expected = Expected::new(&current(), Some(deadline)).unwrap();
    let right = expected.port().make_send_once().unwrap();
    assert!(!right.is_dead());
    assert!(come(expected).is_none());
    assert!(Instant::now() >= deadline);
    assert!(right.is_dead());
}

#[test]
fn a_deadline_passes_even_if_nobody_asks() {
    let expected = Expected::new(&current(), Some(Instant::now() + Duration::from_millis(5))).unwrap();
    let right = expected.port().make_send_once().unwrap();
    let watchdog = Instant::now() + Duration::from_secs(60);
    while !right.is_dead() {
        assert!(Instant::now() < watchdog);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(expected.is_ready());
}

#[test]
fn who_gives_up_ends_the_right() {
    let expected = Expected::new(&current(), None).unwrap();
    let right = expected.port().make_send_once().unwrap();
    drop(expected);
    assert!(right.is_dead());
}

#[test]
fn a_watched_port_keeps_its_queue() {
    let port = ReceiveRight::<()>::new().unwrap();
    let right = port.make_send().unwrap();
    let watched = Watched::new(&current(), port);
    let send = |number: u32, deadline| {
        let mut buffer = MessageBuffer::new();
        Outgoing::message(&mut buffer, &number).unwrap().copy_send(&right).send(deadline)
    };
    let next = || number_in(block_on(poll_fn(|cx| watched.poll_message(cx))).unwrap());
    for number in 0..5 {
        send(number, Deadline::now()).unwrap();
    }
    // Nobody has asked, so nothing was taken.
    assert!(send(5, Deadline::now()).unwrap_err().is_timed_out());
    for number in 0..3 {
        assert_eq!(next(), number);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| (5..1000).for_each(|number| send(number, Deadline::never()).unwrap()));
        for number in 3..1000 {
            assert_eq!(next(), number);
        }
    });
}

#[test]
fn an_alarm_rings_after_its_time() {
    let at = Instant::now() + Duration::from_millis(10);
    let mut alarm = Alarm::new(&current(), at);
    block_on(poll_fn(|cx| alarm.poll(cx)));
    assert!(Instant::now() >= at);
}
