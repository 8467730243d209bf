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

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use system::{AtomicBool, AtomicPtr, AtomicU32, Mutex, MutexGuard, OWN, STREAK};

/// A thread's word that says whether it is inside as the owner. Each owner has its own: one that has looked whether it is the owner, and only
/// stores after another thread has become it, must not say anything about that one.
///
/// A thread is inside one lock of a class at a time, and has a place for each class.
///
/// On cache lines of its own: its thread writes it twice for each time that it takes the lock, and whatever lay beside it would be torn away from
/// another thread as often.
#[repr(align(128))]
struct Place {
    inside: AtomicU32,
}

const OUTSIDE: u32 = 0;
const INSIDE: u32 = 1;

/// The place of threads that have never owned a lock: only its address counts, and nobody has it.
static NO_PLACE: u64 = 0;

const CLASSES: usize = 2;

fn no_place() -> *mut Place {
    (&raw const NO_PLACE).cast_mut().cast()
}

/// The calling thread's place for a class of locks.
#[inline]
fn own_place(class: usize) -> *mut Place {
    OWN.with(|own| own[class].get())
}

/// See the module's page.
///
/// `CLASS` is 0 or 1: a thread that is inside a lock of one class can take one of the other.
///
/// Invariant: who refers to `value` holds `streak`, or is the owner and has found itself so after it stored `INSIDE`.
pub(super) struct BiasedMutex<T, const CLASS: usize = 0> {
    /// The place of the thread that owns the lock, or null. Places live for ever.
    owner: AtomicPtr<Place>,
    /// Whether threads may own the lock: the system knows the barrier, and this process has asked for it.
    able: AtomicBool,
    streak: Mutex<Streak>,
    value: UnsafeCell<T>,
}

/// Who took the lock last, and how often in a row.
struct Streak {
    /// Address of something of the thread's own. Another thread that has it after that one's end may well go on with its streak.
    thread: usize,
    length: u32,
}

// SAFETY: the invariant lets one thread at a time refer to the value, as a mutex does.
unsafe impl<T: Send, const CLASS: usize> Sync for BiasedMutex<T, CLASS> {}

impl<T, const CLASS: usize> BiasedMutex<T, CLASS> {
    pub(super) fn new(value: T) -> Self {
        Self {
            owner: AtomicPtr::new(core::ptr::null_mut()),
            able: AtomicBool::new(false),
            streak: Mutex::new(Streak { thread: 0, length: 0 }),
            value: UnsafeCell::new(value),
        }
    }

    /// Lets threads own the lock from now on, where the system can do what that takes. With many threads this may take milliseconds.
    pub(super) fn allow_owners(&self) {
        self.able.store(system::register(), Ordering::Relaxed);
    }

    /// Takes the lock, waiting for it if need be. A thread that panicked inside leaves what is there.
    #[inline]
    pub(super) fn lock(&self) -> Guard<'_, T, CLASS> {
        let own = own_place(CLASS);
        if self.owner.load(Ordering::Relaxed) == own {
            // SAFETY: an owner's place is a place, and lives for ever.
            let place = unsafe { &*own };
            place.inside.store(INSIDE, Ordering::Relaxed);
            // For the processor, the partner in `dispossess` stands for a barrier here.
            system::light_barrier();
            if self.owner.load(Ordering::Relaxed) == own {
                return Guard { lock: self, held: None };
            }
            self.leave(place);
        }
        self.lock_as_mutex()
    }

    /// The owner, or who was it until now, goes outside.
    fn leave(&self, place: &Place) {
        // Release meets the Acquire in `dispossess`.
        place.inside.store(OUTSIDE, Ordering::Release);
        // As in `lock`: either this sees that the ownership has been taken away, or the barrier has made the store visible.
        system::light_barrier();
        if !core::ptr::eq(self.owner.load(Ordering::Relaxed), place) {
            system::wake(&place.inside);
        }
    }

    #[cold]
    fn lock_as_mutex(&self) -> Guard<'_, T, CLASS> {
        let mut streak = self.streak.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = self.owner.load(Ordering::Relaxed);
        // SAFETY: an owner's place lives for ever.
        if let Some(owner) = unsafe { owner.as_ref() } {
            self.dispossess(owner);
        }
        let thread = OWN.with(|own| (&raw const *own).addr());
        if streak.thread != thread {
            *streak = Streak { thread, length: 0 };
        }
        streak.length += 1;
        if streak.length >= STREAK {
            streak.length = 0;
            if self.able.load(Ordering::Relaxed) {
                // It counts from the next time on: who would take it away waits for `streak` first.
                self.owner.store(system::make_place(CLASS), Ordering::Relaxed);
            }
        }
        Guard { lock: self, held: Some(streak) }
    }

    /// Takes the ownership away and waits until who had it is outside. Only who holds `streak` calls this, so nobody becomes owner
    /// meanwhile.
    fn dispossess(&self, owner: &Place) {
        self.owner.store(core::ptr::null_mut(), Ordering::Relaxed);
        if !system::heavy_barrier() {
            // A filter of system calls has come in between. Threads own the lock no more.
            self.able.store(false, Ordering::Relaxed);
        }
        while owner.inside.load(Ordering::Acquire) == INSIDE {
            // Woken, or the word has changed already: the loop's head tells.
            system::wait(&owner.inside);
        }
    }
}

#[cfg(not(all(test, loom)))]
mod system {
    //! Words, barriers and sleep of this system.

    use std::cell::Cell;
    pub(super) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};
    use std::sync::atomic::{Ordering, compiler_fence};
    pub(super) use std::sync::{Mutex, MutexGuard};
    use std::time::Duration;

    use rustix::thread::{MembarrierCommand, futex, membarrier};

    use super::{CLASSES, INSIDE, OUTSIDE, Place};

    /// So many times in a row a thread takes the lock before it owns it.
    pub(super) const STREAK: u32 = 1024;
    /// Where the system refuses the barrier that it has promised, this long is waited instead: no processor holds a store back for as long.
    const DRAINED: Duration = Duration::from_millis(10);

    thread_local! {
        /// The thread's places.
        pub(super) static OWN: [Cell<*mut Place>; CLASSES] =
            const { [const { Cell::new((&raw const super::NO_PLACE).cast_mut().cast()) }; CLASSES] };
        /// Gives them back.
        static LENT: Lent = const { Lent([const { Cell::new(None) }; CLASSES]) };
    }

    struct Lent([Cell<Option<&'static Place>>; CLASSES]);

    impl Drop for Lent {
        fn drop(&mut self) {
            for (class, lent) in self.0.iter().enumerate() {
                let Some(place) = lent.take() else { continue };
                OWN.with(|own| own[class].set(super::no_place()));
                if let Ok(mut free) = FREE[class].try_lock() {
                    free.push(place);
                }
            }
        }
    }

    /// Places of threads that have ended. Where one of them still is a lock's owner, the thread that gets its place is it from then on. Nobody
    /// waits here: in a forked child this may be locked for ever.
    static FREE: [Mutex<Vec<&'static Place>>; CLASSES] = [const { Mutex::new(Vec::new()) }; CLASSES];

    /// The calling thread's place, from now on where it had none.
    pub(super) fn make_place(class: usize) -> *mut Place {
        if super::own_place(class) == super::no_place() {
            let free = FREE[class].try_lock().ok().and_then(|mut free| free.pop());
            let place =
                free.unwrap_or_else(|| Box::leak(Box::new(Place { inside: AtomicU32::new(OUTSIDE) })));
            // A thread that has lost its locals keeps the place for ever.
            let _ = LENT.try_with(|lent| lent.0[class].set(Some(place)));
            OWN.with(|own| own[class].set((&raw const *place).cast_mut()));
        }
        super::own_place(class)
    }

    pub(super) fn register() -> bool {
        // ThreadSanitizer knows nothing of such barriers, and would see races where there are none.
        !cfg!(machipc_thread_sanitizer) && membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
    }

    #[inline]
    pub(super) fn light_barrier() {
        compiler_fence(Ordering::SeqCst);
    }

    /// A barrier in every thread. False: the system refuses it, and time has passed instead.
    pub(super) fn heavy_barrier() -> bool {
        let done = membarrier(MembarrierCommand::PrivateExpedited).is_ok();
        if !done {
            std::thread::sleep(DRAINED);
        }
        done
    }

    pub(super) fn wait(inside: &AtomicU32) {
        let _ = futex::wait(inside, futex::Flags::PRIVATE, INSIDE, None);
    }

    pub(super) fn wake(inside: &AtomicU32) {
        let _ = futex::wake(inside, futex::Flags::PRIVATE, 1);
    }
}

#[cfg(all(test, loom))]
mod system {
    //! The same for loom. Both barriers are fences: the light one is stronger than it is, and together they promise what the two do.

    use std::cell::Cell;

    use loom::sync::atomic::fence;
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};
    pub(super) use loom::sync::{Mutex, MutexGuard};
    use std::sync::atomic::Ordering;

    use super::{CLASSES, OUTSIDE, Place};

    pub(super) const STREAK: u32 = 1;

    loom::thread_local! {
        pub(super) static OWN: [Cell<*mut Place>; CLASSES] = core::array::from_fn(|_| Cell::new(super::no_place()));
    }

    pub(super) fn make_place(class: usize) -> *mut Place {
        OWN.with(|own| {
            let own = &own[class];
            if own.get() == super::no_place() {
                own.set(Box::leak(Box::new(Place { inside: AtomicU32::new(OUTSIDE) })));
            }
            own.get()
        })
    }

    pub(super) fn register() -> bool {
        true
    }

    pub(super) fn light_barrier() {
        fence(Ordering::SeqCst);
    }

    pub(super) fn heavy_barrier() -> bool {
        fence(Ordering::SeqCst);
        true
    }

    pub(super) fn wait(_: &AtomicU32) {
        loom::thread::yield_now();
    }

    pub(super) fn wake(_: &AtomicU32) {}
}

/// The right to the value, until it is dropped.
pub(super) struct Guard<'l, T, const CLASS: usize = 0> {
    lock: &'l BiasedMutex<T, CLASS>,
    /// None: the thread is inside as the owner.
    held: Option<MutexGuard<'l, Streak>>,
}

impl<T, const CLASS: usize> Deref for Guard<'_, T, CLASS> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the invariant of `BiasedMutex`; the guard is borrowed.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T, const CLASS: usize> DerefMut for Guard<'_, T, CLASS> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and borrowed by nobody else.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T, const CLASS: usize> Drop for Guard<'_, T, CLASS> {
    #[inline]
    fn drop(&mut self) {
        if self.held.is_none() {
            // SAFETY: the thread entered as the owner, so it has a place, which lives for ever.
            let place = unsafe { &*own_place(CLASS) };
            self.lock.leave(place);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Threads that take the lock in streaks of their own and disturb each other's: every addition must be there in the end.
    #[test]
    fn nobody_is_inside_at_the_same_time() {
        const THREADS: u32 = 3;
        const STREAKS: u32 = 40;
        let lock: Arc<BiasedMutex<(u64, u64)>> = Arc::new(BiasedMutex::new((0, 0)));
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
        let lock: BiasedMutex<i32> = BiasedMutex::new(0);
        lock.allow_owners();
        if !lock.able.load(Ordering::Relaxed) {
            println!("skipped: the system has no membarrier");
            return;
        }
        let owns = |lock: &BiasedMutex<i32>| lock.owner.load(Ordering::Relaxed) == own_place(0);
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
        let lock: BiasedMutex<i32> = BiasedMutex::new(0);
        lock.allow_owners();
        for _ in 0..=STREAK {
            *lock.lock() += 1;
        }
        std::thread::scope(|scope| {
            let guard = lock.lock();
            let other = scope.spawn(|| *lock.lock());
            while lock.owner.load(Ordering::Relaxed) == own_place(0) {
                std::thread::yield_now();
            }
            drop(guard);
            assert_eq!(other.join().unwrap(), STREAK as i32 + 1);
        });
    }
}

#[cfg(all(test, loom))]
mod model {
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;

    use super::super::wait_model::explore;
    use super::*;

    /// Threads that come to own the lock the first time they take it; each takes it so many times. Two inside at the same time are a race.
    fn contend(times: &'static [usize]) {
        explore(move || {
            let lock: Arc<BiasedMutex<_>> = Arc::new(BiasedMutex::new(UnsafeCell::new(0)));
            lock.allow_owners();
            let add = |lock: &BiasedMutex<UnsafeCell<usize>>| {
                let guard = lock.lock();
                // SAFETY: loom ends the test if another thread is there.
                guard.with_mut(|count| unsafe { *count += 1 });
            };
            let threads: Vec<_> = times[1..]
                .iter()
                .map(|&times| {
                    let lock = lock.clone();
                    loom::thread::spawn(move || (0..times).for_each(|_| add(&lock)))
                })
                .collect();
            (0..times[0]).for_each(|_| add(&lock));
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            // SAFETY: as above.
            assert_eq!(lock.lock().with(|count| unsafe { *count }), times.iter().sum());
        });
    }

    #[test]
    fn loom_an_owner_is_alone() {
        contend(&[3, 2]);
    }

    /// One that was the owner looks, another becomes it, and a third takes the ownership from that one.
    #[test]
    fn loom_a_former_owner_says_nothing_about_the_next() {
        contend(&[2, 2, 1]);
    }
}
