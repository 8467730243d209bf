//! Many processes want one name at the same moment, and the one that has it is killed at that moment: exactly one of them gets it, and the
//! others find that one.
//!
//! `MACHIPC_TEST_ROUNDS` sets how often.

mod endurance_support;

use endurance_support::*;
use machipc::{Client, Context, Host, Reply};

const TEST: &str = "one_of_many_gets_the_name";
const NAME: &str = "com.example.race";
const PROCESSES: usize = 8;

/// Asks an owner for its process id.
type Who = Reply<u32>;

/// Tries again and again until this process has the name, or another one does that is not `old`.
fn contend(old: u32) -> Result<Host<Who>, u32> {
    let start = std::time::Instant::now();
    loop {
        let host = Host::<Who>::builder().name(NAME);
        match host.bind(|reply: Who, _: &Context| drop(reply.send(std::process::id()))) {
            Ok(host) => return Ok(host),
            Err(error) => assert!(error.mach().is_some_and(|error| error.is_name_taken()), "{error}"),
        }
        let owner = Client::<Who>::connect_to(NAME)
            .and_then(|client| client.with_deadline(patience()).call(|reply| reply));
        match owner {
            Ok(owner) if owner != old => return Err(owner),
            // It dies, or is dead already.
            _ => assert!(start.elapsed() < patience(), "nobody gets the name"),
        }
    }
}

fn contender() {
    let mut lines = std::io::stdin().lines().map_while(Result::ok);
    // The end of input is the end of the process, and of its host.
    while let Some(old) = lines.next() {
        match contend(old.parse().expect("a process id")) {
            Ok(host) => {
                tell("won");
                let _ = lines.next();
                drop(host);
                return;
            }
            Err(owner) => tell(&owner.to_string()),
        }
    }
}

/// Tries once, or only looks, and by that clears away what a dead owner has left.
fn try_once() {
    let tries = role().is_some_and(|role| role[0] == "tries");
    let mut lines = std::io::stdin().lines().map_while(Result::ok);
    while lines.next().is_some() {
        if !tries {
            let _ = Client::<Who>::connect_to(NAME);
            tell("looked");
        } else if let Ok(host) =
            Host::<Who>::builder().name(NAME).bind(|reply: Who, _: &Context| drop(reply.send(0)))
        {
            tell("won");
            let _ = lines.next();
            drop(host);
            return;
        } else {
            tell("lost");
        }
    }
}

/// What a dead owner has left is in nobody's way, and nor is who clears it away: of those who try once, one gets the name.
#[test]
fn a_dead_owner_is_in_nobodys_way() {
    const TEST: &str = "a_dead_owner_is_in_nobodys_way";
    if role().is_some() {
        return try_once();
    }
    privately(TEST, || {
        let watchdog = Watchdog::new(TEST);
        let start = |index| Second::start(TEST, if index % 2 == 0 { "tries" } else { "looks" });
        let mut all: Vec<Second> = (0..PROCESSES).map(start).collect();
        let mut owner: Option<Second> = None;
        for round in 0..rounds(25) {
            if let Some(mut owner) = owner.take() {
                owner.kill();
            }
            all.iter_mut().for_each(|second| second.say("go"));
            let heard: Vec<String> = all.iter_mut().map(Second::told).collect();
            let won: Vec<usize> = (0..PROCESSES).filter(|&index| heard[index] == "won").collect();
            assert_eq!(won.len(), 1, "round {round}: {heard:?}");
            owner = Some(std::mem::replace(&mut all[won[0]], start(won[0])));
            watchdog.feed();
        }
        for second in owner.into_iter().chain(all) {
            assert!(second.finish().success());
        }
    });
}

#[test]
fn one_of_many_gets_the_name() {
    if role().is_some() {
        return contender();
    }
    privately(TEST, || {
        let watchdog = Watchdog::new(TEST);
        let start = || Second::start(TEST, "contender");
        let mut contenders: Vec<Second> = (0..PROCESSES).map(|_| start()).collect();
        let mut owner: Option<Second> = None;
        for round in 0..rounds(25) {
            let old = owner.as_ref().map_or(0, Second::pid);
            // Some try while the owner lives, some when it is gone, and those in between meet it as it dies.
            for (index, contender) in contenders.iter_mut().enumerate() {
                if index == round as usize % PROCESSES
                    && let Some(owner) = &mut owner
                {
                    owner.kill();
                }
                contender.say(&old.to_string());
            }
            let heard: Vec<String> = contenders.iter_mut().map(Second::told).collect();
            let won: Vec<usize> = (0..PROCESSES).filter(|&index| heard[index] == "won").collect();
            assert_eq!(won.len(), 1, "round {round}: {heard:?}");
            let winner = contenders[won[0]].pid().to_string();
            let agreed = heard.iter().enumerate().all(|(index, text)| index == won[0] || *text == winner);
            assert!(agreed, "round {round}: {winner} has the name, and they found {heard:?}");
            owner = Some(std::mem::replace(&mut contenders[won[0]], start()));
            watchdog.feed();
        }
        // The last one leaves nothing behind, also of those before it.
        for second in owner.into_iter().chain(contenders) {
            assert!(second.finish().success());
        }
    });
}
