//! Pictures for a prompt: written to the host in pieces, seen by the model, gone after the turn.

use std::path::PathBuf;

use serde_json::Value;

use super::bed::Terminal;
use super::run::{Bed, first, lines};

/// The rest of a division that PNG sums its chunks with.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    };
    !bytes.iter().fold(!0, step)
}

fn adler(bytes: &[u8]) -> u32 {
    let (a, b) =
        bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| ((a + u32::from(*byte)) % 65_521, (a + u32::from(*byte) + b) % 65_521));
    b << 16 | a
}

fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let body = [kind, data].concat();
    [&u32::try_from(data.len()).unwrap().to_be_bytes()[..], &body, &crc(&body).to_be_bytes()].concat()
}

/// A grey square of so many pixels a side, stored without being compressed: as many bytes as pixels.
fn png(side: u32) -> Vec<u8> {
    let row = [vec![0], vec![0x7f; side as usize]].concat();
    let raw: Vec<u8> = row.repeat(side as usize);
    let mut stream = vec![0x78, 0x01];
    let blocks: Vec<&[u8]> = raw.chunks(65_535).collect();
    for (number, block) in blocks.iter().enumerate() {
        let length = u16::try_from(block.len()).unwrap();
        stream.push(u8::from(number + 1 == blocks.len()));
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    stream.extend_from_slice(&adler(&raw).to_be_bytes());
    let head = [&side.to_be_bytes()[..], &side.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let parts = [chunk(b"IHDR", &head), chunk(b"IDAT", &stream), chunk(b"IEND", &[])];
    [b"\x89PNG\r\n\x1a\n".to_vec(), parts.concat()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn field_57_70_a_picture_above_the_limit_of_a_message_reaches_the_model() {
    let bed = Bed::new().await;
    // 17 million bytes: more than one message may have, even before base64.
    let file: PathBuf = bed.sandbox.path().join("large.png");
    std::fs::write(&file, png(4_150)).unwrap();
    assert!(std::fs::metadata(&file).unwrap().len() > 16 * 1024 * 1024);
    let ran = bed.run(&["run", "devbox:app", "say seen", "--image", file.to_str().unwrap(), "--json"]).await.exits(0);
    let told = lines(&ran);
    assert_eq!(first(&told, "ended")["outcome"], "completed", "{}", ran.stdout);
    let asked = bed.model.requests().iter().map(Value::to_string).find(|request| request.contains("say seen")).unwrap();
    assert!(asked.contains("input_image"), "{}", &asked[..asked.len().min(3_000)]);
    let kept = bed.items(first(&told, "thread")["thread"].as_str().unwrap()).await;
    let path = kept[0].to_string();
    let uploads = bed.host.home.join(".codex/outpost/uploads");
    assert!(path.contains(uploads.to_str().unwrap()), "the path is one of the host: {path}");
    assert_eq!(std::fs::read_dir(&uploads).unwrap().count(), 0, "what was uploaded is gone after the turn");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_message_has_the_form_that_is_asked_for() {
    let bed = Bed::new().await;
    let schema = bed.sandbox.write(
        "schema.json",
        r#"{"type":"object","properties":{"n":{"type":"number"}},"required":["n"],"additionalProperties":false}"#,
    );
    let last = bed.sandbox.path().join("last");
    let (schema, last) = (schema.to_str().unwrap().to_owned(), last.to_str().unwrap().to_owned());
    let args = ["run", "devbox:app", "say {\"n\":1}", "--output-schema", &schema, "--output-last-message", &last];
    bed.run(&args).await.exits(0);
    assert_eq!(std::fs::read_to_string(&last).unwrap(), "{\"n\":1}");
    let asked = bed.model.requests().last().unwrap().clone();
    assert_eq!(asked["text"]["format"]["schema"]["required"][0], "n", "{}", asked["text"]);
    let ran = bed.run(&["run", "devbox:app", "say x", "--output-schema", "/nowhere"]).await.exits(2);
    assert!(ran.stderr.contains("read the schema /nowhere"), "{}", ran.stderr);
}

/// What is wrong here is said before a host is touched.
#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_run_are_looked_at_first() {
    let bed = Bed::new().await;
    let (text, broken) = (bed.sandbox.write("notes.png", "no picture"), bed.sandbox.write("broken.json", "{"));
    let nowhere = bed.sandbox.path().join("nowhere/last");
    for (option, file, said) in [
        ("--image", "/nowhere.png", "read the picture /nowhere.png"),
        ("--image", text.to_str().unwrap(), "it is no PNG, JPEG, GIF or WebP picture"),
        ("--output-schema", broken.to_str().unwrap(), "read the schema"),
        ("--output-last-message", nowhere.to_str().unwrap(), "write "),
    ] {
        let ran = bed.run(&["run", "devbox:app", "--worktree", "say x", option, file]).await.exits(2);
        assert!(ran.stderr.contains(said), "{option}: {}", ran.stderr);
    }
    assert_eq!(bed.host.logins(), 0, "{}", bed.host.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_are_for_the_first_prompt() {
    let bed = Bed::new().await;
    let files = ["a.png", "b.png"].map(|name| bed.sandbox.path().join(name));
    files.iter().for_each(|file| std::fs::write(file, png(8)).unwrap());
    let both = files.each_ref().map(|file| file.to_str().unwrap()).join(",");
    let run = Terminal::outpost(&bed.sandbox, &["run", "devbox:app", "-i", &both]);
    for (number, words) in ["say The first.", "say The second."].into_iter().enumerate() {
        run.shows_times("›", number + 1);
        run.line(words);
        run.shows_times(&words[4..], 2);
    }
    let screen = run.shows_times("›", 3);
    run.press(&["C-d"]);
    run.shows("[exit 0]");
    let thread = screen.split_whitespace().find_map(|word| word.strip_prefix("devbox:0")).expect("its id");
    let items = bed.items(&format!("0{thread}")).await;
    let prompts: Vec<usize> = items
        .iter()
        .filter(|item| item["type"] == "userMessage")
        .map(|item| item["content"].as_array().unwrap().iter().filter(|part| part["type"] == "localImage").count())
        .collect();
    assert_eq!(prompts, [2, 0], "{items:#?}");
}
