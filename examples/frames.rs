//! Pictures that go to another process and come back without being copied, because both processes trust each other.
//!
//! `cargo run --release --example frames` starts itself a second time as the host, has it work on pictures, and checks each. It exits with 1 if
//! anything is not as it should be.

use std::error::Error;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use machipc::{ConnectOptions, Context, Host, OolBuffer, Reply, Trust};

/// What the two processes speak.
#[machipc::endpoint("com.example.frames")]
enum Frames {
    /// A new picture: all of it has this shade.
    Paint { shade: u8, len: usize, reply: Reply<OolBuffer> },
    /// The same picture, with every byte inverted.
    Invert { picture: OolBuffer, reply: Reply<OolBuffer> },
    /// Ends the host.
    Stop,
}

/// A picture of 1920 by 1080, at 4 bytes a pixel.
const LEN: usize = 1920 * 1080 * 4;
/// Memory for a few pictures each way.
const SHARED: usize = 64 << 20;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// What both sides say to share memory.
fn trust() -> Trust {
    // SAFETY: who connects to this name, which has the number of a process in it, is this very program, and leaves a picture alone that it has sent away.
    unsafe { Trust::new() }
}

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("host"), Some(name)) => serve(&name),
        (None, _) => {
            let name = format!("com.example.frames.{}", std::process::id());
            let mut host = Command::new(std::env::current_exe()?).args(["host", &name]).spawn()?;
            ask(&name, &mut host, 200)
        }
        _ => Err("run it without arguments".into()),
    }
}

/// The host's process.
pub fn serve(name: &str) -> Outcome {
    let host = Host::<Frames>::builder().name(name).trust(trust());
    host.run(|message: Frames, cx: &Context| match message {
        Frames::Paint { shade, len, reply } => {
            // The caller gets this very memory.
            let Ok(mut picture) = reply.loan(len) else { return };
            picture.as_mut_slice().fill(shade);
            let _ = reply.send(picture);
        }
        Frames::Invert { mut picture, reply } => {
            picture.as_mut_slice().iter_mut().for_each(|byte| *byte = !*byte);
            // It goes back as it came.
            let _ = reply.send(picture);
        }
        Frames::Stop => cx.stop(),
    })?;
    Ok(())
}

/// The client's process.
pub fn ask(name: &str, host: &mut Child, pictures: u32) -> Outcome {
    let patience = Duration::from_secs(30);
    for trusts in [false, true] {
        let options = ConnectOptions::new().name(name).wait(patience);
        let frames =
            FramesClient::connect_with(&if trusts { options.trust(trust(), SHARED) } else { options })?;
        let (mut painted, mut inverted) = (Duration::MAX, Duration::MAX);
        for number in 0..pictures {
            let shade = number as u8;
            let began = Instant::now();
            let picture = frames.paint(shade, LEN)?;
            painted = painted.min(began.elapsed());
            check(picture, shade)?;

            let mut picture = frames.client().loan(LEN)?;
            picture.as_mut_slice().fill(shade);
            let began = Instant::now();
            let picture = frames.invert(picture)?;
            inverted = inverted.min(began.elapsed());
            check(picture, !shade)?;
        }
        println!(
            "process {} {}: a picture of {} MiB painted in {painted:.0?}, another inverted in {inverted:.0?}",
            host.id(),
            if trusts { "is trusted" } else { "gets and sends copies" },
            LEN >> 20,
        );
        if trusts {
            frames.stop()?;
        }
    }
    let status = host.wait()?;
    if !status.success() {
        return Err(format!("the host ended with {status}").into());
    }
    println!("all is well");
    Ok(())
}

fn check(mut picture: OolBuffer, shade: u8) -> Outcome {
    let row = [shade; 1920 * 4];
    match picture.as_mut_slice() {
        bytes if bytes.len() != LEN => Err(format!("a picture of {} bytes", bytes.len()).into()),
        bytes if bytes.chunks(row.len()).any(|bytes| bytes != row) => {
            Err(format!("a picture that is not all {shade}").into())
        }
        _ => Ok(()),
    }
}
