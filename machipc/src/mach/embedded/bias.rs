//! A lock that costs the thread which takes it again and again no atomic instruction.
//!
//! Most processes send or receive with one thread, and an uncontended mutex costs that thread two locked instructions a message: 30 of the
//! 70 ns that a small send took. So a thread that has taken the lock many times in a row comes to *own* it. The owner enters by storing a
//! word and looking whether it still is the owner. Any other thread first takes the ownership away: it stores that nobody owns the lock, has
//! the system make every thread of the process execute a barrier (`membarrier`), and waits until the owner is not inside. After the barrier
//! either the owner's word is to be seen here, or the owner will see that it owns nothing. From then on the lock is an ordinary mutex until
//! another streak.
//!
//! Taking the ownership costs about 12 µs where the owner runs at that time, so a streak is long enough to have saved as much.

use core::cell::{Cell, UnsafeCell};
use core::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, compiler_fence};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::thread::{MembarrierCommand, futex, membarrier};

/// So many times in a row a thread takes the lock before it owns it.
const STREAK: u32 = 1024;
/// Where the system refuses the barrier that it has promised, this long is waited instead: no processor holds a store back for as long.
const DRAINED: Duration = Duration::from_millis(10);

const NOBODY: u64 = 0;

const OUTSIDE: u32 = 0;
const INSIDE: u32 = 1;

/// See the module's page.
///
/// Invariant: who refers to `value` holds `streak`, or is the owner and has found itself so after it stored `INSIDE`.
pub(super) struct BiasedMutex<T> {
    /// The thread that owns the lock.
    owner: AtomicU64,
    /// Whether the owner is inside.
    inside: AtomicU32,
    /// Whether threads may own the lock: the system knows the barrier, and this process has asked for it.
    able: AtomicBool,
    streak: Mutex<Streak>,
    value: UnsafeCell<T>,
}

/// Who took the lock last, and how often in a row.
struct Streak {
    thread: u64,
    length: u32,
}

// SAFETY: the invariant lets one thread at a time refer to the value, as a mutex does.
unsafe impl<T: Send> Sync for BiasedMutex<T> {}

impl<T> BiasedMutex<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            owner: AtomicU64::new(NOBODY),
            inside: AtomicU32::new(OUTSIDE),
            able: AtomicBool::new(false),
            streak: Mutex::new(Streak { thread: NOBODY, length: 0 }),
            value: UnsafeCell::new(value),
        }
    }

    /// Lets threads own the lock from now on, where the system can do what that takes. With many threads this may take milliseconds.
    pub(super) fn allow_owners(&self) {
        let able = membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok();
        self.able.store(able, Ordering::Relaxed);
    }

    /// Takes the lock, waiting for it if need be. A thread that panicked inside leaves what is there.
    #[inline]
    pub(super) fn lock(&self) -> Guard<'_, T> {
        let own = own_number();
        if self.owner.load(Ordering::Relaxed) == own {
            self.inside.store(INSIDE, Ordering::Relaxed);
            // For the processor, the partner in `dispossess` stands for a barrier here.
            compiler_fence(Ordering::SeqCst);
            if self.owner.load(Ordering::Relaxed) == own {
                return Guard { lock: self, held: None };
            }
            self.leave();
        }
        self.lock_as_mutex(own)
    }

    /// The owner, or who was it until now, goes outside.
    fn leave(&self) {
        // Release meets the Acquire in `dispossess`.
        self.inside.store(OUTSIDE, Ordering::Release);
        // As in `lock`: either this sees that the ownership has been taken away, or the barrier has made the store visible.
        compiler_fence(Ordering::SeqCst);
        if self.owner.load(Ordering::Relaxed) != own_number() {
            let _ = futex::wake(&self.inside, futex::Flags::PRIVATE, 1);
        }
    }

    #[cold]
    fn lock_as_mutex(&self, own: u64) -> Guard<'_, T> {
        let mut streak = self.streak.lock().unwrap_or_else(PoisonError::into_inner);
        if self.owner.load(Ordering::Relaxed) != NOBODY {
            self.dispossess();
        }
        if streak.thread != own {
            *streak = Streak { thread: own, length: 0 };
        }
        streak.length += 1;
        if streak.length >= STREAK {
            streak.length = 0;
            if self.able.load(Ordering::Relaxed) {
                // It counts from the next time on: who would take it away waits for `streak` first.
                self.owner.store(own, Ordering::Relaxed);
            }
        }
        Guard { lock: self, held: Some(streak) }
    }

    /// Takes the ownership away and waits until who had it is outside. Only who holds `streak` calls this, so nobody becomes owner
    /// meanwhile.
    fn dispossess(&self) {
        self.owner.store(NOBODY, Ordering::Relaxed);
        if membarrier(MembarrierCommand::PrivateExpedited).is_err() {
            // A filter of system calls has come in between. Threads own the lock no more.
            self.able.store(false, Ordering::Relaxed);
            std::thread::sleep(DRAINED);
        }
        while self.inside.load(Ordering::Acquire) == INSIDE {
            // Woken, or the word has changed already: the loop's head tells.
            let _ = futex::wait(&self.inside, futex::Flags::PRIVATE, INSIDE, None);
        }
    }
}

/// A number of the calling thread's own, never used again.
#[inline]
fn own_number() -> u64 {
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(NOBODY) };
    }
    match NUMBER.get() {
        NOBODY => {
            static LAST: AtomicU64 = AtomicU64::new(NOBODY);
            let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
            NUMBER.set(number);
            number
        }
        number => number,
    }
}

/// The right to the value, until it is dropped.
pub(super) struct Guard<'l, T> {
    lock: &'l BiasedMutex<T>,
    /// None: the thread is inside as the owner.
    held: Option<MutexGuard<'l, Streak>>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the invariant of `BiasedMutex`; the guard is borrowed.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and borrowed by nobody else.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.held.is_none() {
            self.lock.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Threads that take the lock in streaks of their own and disturb each other's: every addition must be there in the end.
    #[test]
    fn nobody_is_inside_at_the_same_time() {
        const THREADS: u32 = 3;
        const STREAKS: u32 = 40;
        let lock = Arc::new(BiasedMutex::new((0_u64, 0_u64)));
        lock.allow_owners();
        let add = |lock: &BiasedMutex<(u64, u64)>| {
            let mut guard = lock.lock();
            assert_eq!(guard.0, guard.1);
            guard.0 += 1;
            std::hint::black_box(&mut *guard);
            guard.1 += 1;
        };
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let lock = lock.clone();
                scope.spawn(move || {
                    for streak in 0..STREAKS {
                        for _ in 0..STREAK + 500 {
                            add(&lock);
                        }
                        if streak % THREADS == thread {
                            std::thread::yield_now();
                        }
                    }
                });
            }
        });
        assert_eq!(lock.lock().0, u64::from(THREADS * STREAKS * (STREAK + 500)));
    }

    #[test]
    fn a_streak_makes_an_owner_and_another_thread_ends_it() {
        let lock = BiasedMutex::new(0);
        lock.allow_owners();
        if !lock.able.load(Ordering::Relaxed) {
            println!("skipped: the system has no membarrier");
            return;
        }
        let owns = |lock: &BiasedMutex<i32>| lock.owner.load(Ordering::Relaxed) == own_number();
        for _ in 0..STREAK {
            assert!(!owns(&lock));
            *lock.lock() += 1;
        }
        assert!(owns(&lock));
        *lock.lock() += 1;
        std::thread::scope(|scope| {
            scope.spawn(|| *lock.lock() += 1);
        });
        assert!(!owns(&lock));
        assert_eq!(*lock.lock(), STREAK as i32 + 2);
    }

    #[test]
    fn whoever_waits_for_the_owner_is_woken() {
        let lock = BiasedMutex::new(0);
        lock.allow_owners();
        for _ in 0..=STREAK {
            *lock.lock() += 1;
        }
        std::thread::scope(|scope| {
            let guard = lock.lock();
            let other = scope.spawn(|| *lock.lock());
            while lock.owner.load(Ordering::Relaxed) == own_number() {
                std::thread::yield_now();
            }
            drop(guard);
            assert_eq!(other.join().unwrap(), STREAK as i32 + 1);
        });
    }
}
