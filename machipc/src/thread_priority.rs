//! How much the scheduler favours a host's threads. The one file above the seam that knows the system.

/// How urgent a thread's work is, in the words of Apple's quality-of-service classes.
///
/// On Apple systems it sets the class of the thread. On Linux it sets the thread's nice value; going below zero needs
/// `CAP_SYS_NICE` or a raised `RLIMIT_NICE`, and where that is missing the host logs a warning and runs as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThreadPriority {
    /// Work nobody waits for (nice 15).
    Background,
    /// Work with a progress bar (nice 5).
    Utility,
    /// What the system gives every thread: nothing is changed.
    #[default]
    Default,
    /// Work somebody waits for (nice -5).
    UserInitiated,
    /// Work that a frame on the screen waits for (nice -10).
    UserInteractive,
}

impl ThreadPriority {
    /// Gives the calling thread this priority.
    pub(crate) fn apply(self) -> std::io::Result<()> {
        if self == Self::Default { Ok(()) } else { self.set() }
    }

    #[cfg(target_os = "linux")]
    fn set(self) -> std::io::Result<()> {
        let nice = match self {
            Self::Background => 15,
            Self::Utility => 5,
            Self::Default => 0,
            Self::UserInitiated => -5,
            Self::UserInteractive => -10,
        };
        // Linux keeps a nice value for each thread, and "no process" means the calling thread.
        Ok(rustix::process::setpriority_process(None, nice)?)
    }

    #[cfg(target_vendor = "apple")]
    fn set(self) -> std::io::Result<()> {
        // SAFETY: the signature is that of the header.
        unsafe extern "C" {
            // <pthread/qos.h>: returns an errno value.
            fn pthread_set_qos_class_self_np(
                class: core::ffi::c_uint,
                relative: core::ffi::c_int,
            ) -> core::ffi::c_int;
        }
        // The values of `qos_class_t` in <sys/qos.h>.
        let class = match self {
            Self::Background => 0x09,
            Self::Utility => 0x11,
            Self::Default => 0x15,
            Self::UserInitiated => 0x19,
            Self::UserInteractive => 0x21,
        };
        // SAFETY: the call takes two integers and touches nothing but the calling thread's scheduling class.
        match unsafe { pthread_set_qos_class_self_np(class, 0) } {
            0 => Ok(()),
            errno => Err(std::io::Error::from_raw_os_error(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ThreadPriority;

    #[test]
    fn lower_priorities_are_always_allowed() {
        std::thread::spawn(|| {
            ThreadPriority::Default.apply().unwrap();
            ThreadPriority::Utility.apply().unwrap();
            ThreadPriority::Background.apply().unwrap();
        })
        .join()
        .unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_the_calling_thread_changes() {
        let before = rustix::process::getpriority_process(None).unwrap();
        let inside = std::thread::spawn(|| {
            ThreadPriority::Background.apply().unwrap();
            rustix::process::getpriority_process(None).unwrap()
        });
        assert_eq!(inside.join().unwrap(), 15);
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), before);
    }
}
