//! A named pipe. What a reader finds in it comes in one call, so that a burst of small messages costs few.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::pipe::{PIPE_BUF, fcntl_setpipe_size};

use crate::Outcome;
use crate::ends::{Caller, Desk, Inbox, Outbox};
use crate::system::{Job, System, Waiting};
use crate::work::{Fill, Work};

pub struct Pipe;

/// As much as one may have without privileges.
const LARGE: usize = 1 << 20;
/// From this length of messages on, a pipe is made as large as that.
const LARGE_MESSAGE: usize = 64 * 1024;

impl System for Pipe {
    fn name(&self) -> &'static str {
        "pipe"
    }

    fn waiting(&self) -> Waiting {
        Waiting::Sleeps
    }

    fn lacks(&self, work: &Work) -> Option<&'static str> {
        match work {
            Work { fill: Fill::InPlace, .. } => Some("it copies"),
            work if work.senders > 1 && work.len > PIPE_BUF => Some("several writers' messages would mix"),
            _ => None,
        }
    }

    fn receive(&self, job: &Job, mut inbox: Inbox) -> Outcome {
        make(job, "requests")?;
        inbox.ready()?;
        let mut reader = Reader::new(open(job, "requests", End::Read)?, job.work.len);
        while !inbox.take(reader.message()?)? {}
        Ok(())
    }

    fn send(&self, job: &Job, mut outbox: Outbox) -> Outcome {
        let mut pipe = open(job, "requests", End::Write)?;
        while let Some(message) = outbox.next()? {
            pipe.write_all(message)?;
        }
        Ok(())
    }

    fn serve(&self, job: &Job, mut desk: Desk) -> Outcome {
        make(job, "requests")?;
        make(job, "answers")?;
        desk.ready()?;
        let mut requests = Reader::new(open(job, "requests", End::Read)?, job.work.len);
        let mut answers = open(job, "answers", End::Write)?;
        loop {
            answers.write_all(desk.answer(requests.message()?)?)?;
            if desk.answered()? {
                return Ok(());
            }
        }
    }

    fn call(&self, job: &Job, mut caller: Caller) -> Outcome {
        let mut requests = open(job, "requests", End::Write)?;
        let mut answers = Reader::new(open(job, "answers", End::Read)?, job.work.len);
        while let Some(request) = caller.next()? {
            requests.write_all(request)?;
            caller.took(answers.message()?)?;
        }
        Ok(())
    }
}

enum End {
    Read,
    Write,
}

fn path(job: &Job, name: &str) -> PathBuf {
    job.directory.join(name)
}

fn make(job: &Job, name: &str) -> Outcome {
    Ok(mkfifoat(CWD, path(job, name), Mode::RUSR | Mode::WUSR)?)
}

/// Opens one end; waits until somebody has the other.
fn open(job: &Job, name: &str, end: End) -> Outcome<File> {
    let path = path(job, name);
    let start = Instant::now();
    let file = loop {
        let opened = match end {
            End::Read => File::open(&path),
            End::Write => OpenOptions::new().write(true).open(&path),
        };
        match opened {
            Err(error) if error.kind() == ErrorKind::NotFound && start.elapsed().as_secs() < 10 => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => break other?,
        }
    };
    if job.work.len >= LARGE_MESSAGE {
        fcntl_setpipe_size(&file, LARGE)?;
    }
    Ok(file)
}

/// Takes messages out of what a pipe gives.
struct Reader {
    pipe: File,
    len: usize,
    buffer: Vec<u8>,
    /// What of the buffer has been read and not been taken.
    from: usize,
    to: usize,
}

impl Reader {
    fn new(pipe: File, len: usize) -> Self {
        Self { pipe, len, buffer: vec![0; len.next_multiple_of(64 * 1024)], from: 0, to: 0 }
    }

    #[inline]
    fn message(&mut self) -> Outcome<&[u8]> {
        if self.to - self.from < self.len {
            self.read()?;
        }
        let message = &self.buffer[self.from..self.from + self.len];
        self.from += self.len;
        Ok(message)
    }

    /// Reads at least one message.
    fn read(&mut self) -> Outcome {
        self.buffer.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        while self.to < self.len {
            match self.pipe.read(&mut self.buffer[self.to..]) {
                Ok(0) => return Err("the pipe has no writer any more".into()),
                Ok(more) => self.to += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
