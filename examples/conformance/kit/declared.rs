//! A declared service for R-194. On a Mac launchd declares it, for the program that runs this suite; `MACHIPC_CONFORMANCE_DECLARED_SERVICE`
//! names it. On Linux the suite plays the service manager itself.

use super::{Outcome, Peer};

/// Names a service that is declared for the program that runs this suite.
const VARIABLE: &str = "MACHIPC_CONFORMANCE_DECLARED_SERVICE";

/// A name that is declared as long as this lives.
pub struct Declared {
    pub service: String,
    #[cfg(target_os = "linux")]
    socket: Option<linux::Socket>,
}

impl Declared {
    pub fn new() -> Outcome<Self> {
        match std::env::var(VARIABLE) {
            Ok(service) => Ok(Self {
                service,
                #[cfg(target_os = "linux")]
                socket: None,
            }),
            #[cfg(target_os = "linux")]
            Err(_) => {
                let service = super::service_name();
                let socket = linux::Socket::new(&service)?;
                Ok(Self { service, socket: Some(socket) })
            }
            #[cfg(not(target_os = "linux"))]
            Err(_) => Err(super::Stop::Skip(format!("no declared service: {VARIABLE} names none"))),
        }
    }

    /// Starts a task that may check the service in.
    pub fn start_owner(&self) -> Outcome<Peer> {
        #[cfg(target_os = "linux")]
        if let Some(socket) = &self.socket {
            return Peer::start_by(|command| socket.hand_down(command, &self.service));
        }
        Peer::start()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::super::{Outcome, Stop};
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    use std::os::fd::OwnedFd;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};

    /// What systemd makes of a socket unit.
    pub struct Socket {
        listener: OwnedFd,
        file: PathBuf,
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.file);
            // An owner that was killed leaves the file of its lock.
            let _ = std::fs::remove_file(self.file.with_extension("declared"));
        }
    }

    impl Socket {
        pub fn new(service: &str) -> Outcome<Self> {
            let hash = service.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            });
            // Of a file's name only so much is readable.
            let shown = &service[..service.len().min(48)];
            let file = directory().join(format!("{shown}-{hash:016x}.sock"));
            match listen(&file) {
                Ok(listener) => Ok(Self { listener, file }),
                Err(error) => {
                    Err(Stop::Fail(format!("expected to listen at {}, got {error}", file.display())))
                }
            }
        }

        /// The same command, with the socket as descriptor 3. Only a shell knows the process id before the program runs.
        pub fn hand_down(&self, command: &Command, service: &str) -> std::io::Result<Command> {
            let mut shell = Command::new("sh");
            shell.args(["-c", r#"exec 3<&2 2>&1; LISTEN_PID=$$ exec "$@""#, "sh"]);
            shell.arg(command.get_program()).args(command.get_args());
            shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            shell.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", service);
            shell.stderr(Stdio::from(self.listener.try_clone()?));
            Ok(shell)
        }
    }

    fn listen(file: &Path) -> std::io::Result<OwnedFd> {
        if let Some(directory) = file.parent() {
            use std::os::unix::fs::DirBuilderExt;
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(file)?)?;
        rustix::net::listen(&socket, 64)?;
        Ok(socket)
    }

    /// The user's directory of names.
    fn directory() -> PathBuf {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let runtime = || variable("XDG_RUNTIME_DIR").map(|runtime| runtime.join("machipc"));
        variable("MACHIPC_BOOTSTRAP_DIR").or_else(runtime).unwrap_or_else(|| {
            std::env::temp_dir().join(format!("machipc-{}", rustix::process::geteuid().as_raw()))
        })
    }
}
