use super::*;

const ETH0: InterfaceId = InterfaceId(0);
const WHY: DropReason = DropReason::NoBackend;

fn lengths(recorder: &Recorder, now: Tick) -> Vec<u16> {
    let mut all: Vec<_> = recorder.read(WHY, now).map(|recorded| recorded.length).collect();
    all.sort_unstable();
    all
}

#[test]
fn the_last_frames_stay_with_their_beginning_and_whole_length() {
    let recorder = Recorder::new();
    assert_eq!(recorder.read(WHY, Tick(0)).count(), 0);
    for n in 0..20_u8 {
        recorder.record(WHY, ETH0, &vec![n; 100 + usize::from(n)], Tick(n.into()));
    }
    let newest = u16::try_from(RECORDED).unwrap();
    assert_eq!(lengths(&recorder, Tick(20)), (120 - newest..120).collect::<Vec<_>>());
    let last = recorder.read(WHY, Tick(25)).find(|recorded| recorded.length == 119).unwrap();
    assert_eq!((last.age, last.ingress), (Duration::from_millis(6), Some(ETH0)));
    assert_eq!(last.bytes, [19; 119]);
    recorder.record(WHY, InterfaceId::NOWHERE, &[7; 1500], Tick(40));
    let long = recorder.read(WHY, Tick(39)).find(|recorded| recorded.length == 1500).unwrap();
    assert_eq!((long.bytes.len(), long.ingress, long.age), (RECORDED_BYTES, None, Duration::ZERO));
    assert_eq!(recorder.read(DropReason::Denied, Tick(40)).count(), 0, "each reason has its own");
}

#[test]
fn a_flood_is_sampled() {
    let recorder = Recorder::new();
    for n in 0..1000_u16 {
        recorder.record(WHY, ETH0, &vec![0; usize::from(n)], Tick(5));
    }
    let first: Vec<_> = (0..u16::try_from(RECORDED_PER_MILLI).unwrap()).collect();
    assert_eq!(lengths(&recorder, Tick(5)), first);
    recorder.record(WHY, ETH0, &[0; 50], Tick(6));
    assert!(lengths(&recorder, Tick(6)).contains(&50), "the next millisecond has its share again");
}

#[test]
fn nobody_reads_half_a_frame() {
    let recorder = std::sync::Arc::new(Recorder::new());
    let writer = std::thread::spawn({
        let recorder = std::sync::Arc::clone(&recorder);
        move || {
            for n in 0..200_000_u32 {
                recorder.record(WHY, ETH0, &[(n % 251) as u8; RECORDED_BYTES], Tick(n));
            }
        }
    });
    while !writer.is_finished() {
        for recorded in recorder.read(WHY, Tick(0)) {
            let first = recorded.bytes[0];
            assert!(recorded.bytes.iter().all(|byte| *byte == first), "{recorded:?}");
        }
    }
    writer.join().unwrap();
    assert_eq!(recorder.read(WHY, Tick(200_000)).count(), RECORDED);
}
