mod group;
use group::Group;
use std::time::Duration;
#[test]
fn smoke() {
    let mut group = Group::of(4);
    group.pass(Duration::from_secs(1));
    let leader = group.leader();
    assert_ne!(leader, 0);
    group.propose(leader, "a");
    group.propose(2, "b");
    group.propose(3, "c");
    group.pass(Duration::from_millis(20));
    assert_eq!(group.commands(4), ["a", "b", "c"]);
    assert_eq!(group.commands(1), ["a", "b", "c"]);
    for peer in 1..=4 {
        if peer != leader {
            group.cut_link(leader, peer);
        }
    }
    let t = group.now;
    group.run();
    assert_ne!(group.leader(), leader, "at once");
    assert!(group.now - t < Duration::from_millis(1));
}
