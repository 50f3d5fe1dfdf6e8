use std::time::Duration;

use super::{Gone, Weight, bounded};

#[derive(Debug, PartialEq)]
struct Item(usize);

impl Weight for Item {
    fn weight(&self) -> usize {
        self.0
    }
}

#[tokio::test]
async fn keeps_the_order_and_ends_with_the_last_sender() {
    let (sender, mut receiver) = bounded(100);
    let other = sender.clone();
    sender.send(Item(1)).await.unwrap();
    other.send(Item(2)).await.unwrap();
    drop((sender, other));
    assert_eq!(receiver.recv().await, Some(Item(1)));
    assert_eq!(receiver.recv().await, Some(Item(2)));
    assert_eq!(receiver.recv().await, None);
}

#[tokio::test]
async fn an_ended_queue_gives_what_is_in_it_and_takes_no_more() {
    let (sender, mut receiver) = bounded(100);
    sender.send(Item(1)).await.unwrap();
    sender.end();
    assert_eq!(sender.send(Item(2)).await, Err(Gone));
    assert_eq!(receiver.recv().await, Some(Item(1)));
    assert_eq!(receiver.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_the_sender_wait_and_one_large_item_always_fits() {
    let (sender, mut receiver) = bounded(10);
    sender.send(Item(50)).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_secs(1), sender.send(Item(1))).await;
    assert!(waiting.is_err(), "no room while 50 of 10 bytes are held");
    let give = async {
        sender.send(Item(1)).await.unwrap();
        drop(sender);
    };
    let take = async {
        let mut seen = Vec::new();
        while let Some(item) = receiver.recv().await {
            seen.push(item.0);
        }
        seen
    };
    let ((), seen) = tokio::join!(give, take);
    assert_eq!(seen, [50, 1]);
}

#[tokio::test]
async fn a_lost_receiver_is_noticed() {
    let (sender, receiver) = bounded(10);
    drop(receiver);
    assert_eq!(sender.send(Item(1)).await, Err(Gone));
    assert_eq!(sender.send_blocking(Item(1)), Err(Gone));
    sender.abandoned().await;
}

#[tokio::test]
async fn all_who_wait_get_room_and_one_who_takes_singly_misses_nothing() {
    let (sender, mut receiver) = bounded(4);
    let mut givers = Vec::new();
    for _ in 0..3 {
        let sender = sender.clone();
        givers.push(std::thread::spawn(move || {
            for _ in 0..500 {
                sender.send_blocking(Item(3)).unwrap();
            }
        }));
    }
    for _ in 0..3 {
        let sender = sender.clone();
        tokio::spawn(async move {
            for _ in 0..500 {
                sender.send(Item(3)).await.unwrap();
            }
        });
    }
    drop(sender);
    let mut seen = 0;
    while receiver.recv().await.is_some() {
        seen += 1;
    }
    for giver in givers {
        giver.join().unwrap();
    }
    assert_eq!(seen, 3000);
}

#[tokio::test]
async fn a_thread_waits_for_room() {
    let (sender, mut receiver) = bounded(4);
    let giver = std::thread::spawn(move || {
        for _ in 0..1000 {
            sender.send_blocking(Item(3)).unwrap();
        }
    });
    let mut seen = 0;
    while let Some(items) = receiver.recv_all().await {
        seen += items.len();
    }
    giver.join().unwrap();
    assert_eq!(seen, 1000);
}
