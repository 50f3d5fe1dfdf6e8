//! Runs cases one after another on a stage and judges each: one answer for each id, within the bound, nothing done twice, and the
//! next call works.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::bridge::{Bridge, SHORT, WATCHDOG};
use crate::case::{Case, Fault, Leg, Side, Transport};
use crate::mercy::Mercy;
use crate::proxy::Arm;
use crate::stage::Stage;
use crate::support::rpc::Rpc;

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The server: a result, or an error of its own.
    Server,
    /// The bridge, with an error.
    Us,
    /// Nobody.
    Nobody,
}

/// What is wrong with a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// An id without an answer, or with another one's, or with two.
    Lost,
    /// No answer within the bound.
    Hung,
    /// A call was done twice.
    Doubled,
    /// The next call did not work.
    Next,
}

/// What became of a case.
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// Who answered.
    pub by: By,
    /// What is wrong, and how that showed.
    pub wrong: Vec<(Wrong, String)>,
    /// How many tries the next call took beyond the first.
    pub again: usize,
    /// All that helps to see why.
    pub report: String,
    /// How long it took.
    pub took: Duration,
}

impl Outcome {
    fn new(case: Case) -> Self {
        Self {
            case,
            by: By::Nobody,
            wrong: Vec::new(),
            again: 0,
            report: String::new(),
            took: Duration::ZERO,
        }
    }

    fn wrong(&mut self, wrong: Wrong, how: impl Into<String>) {
        self.wrong.push((wrong, how.into()));
    }

    /// Books the answer to the disturbed request.
    fn answered(&mut self, answer: Option<&Rpc>, gone: bool) {
        match answer {
            None if gone => self.wrong(Wrong::Lost, "the bridge has gone"),
            None => self.wrong(Wrong::Hung, "no answer within the bound"),
            Some(rpc) => self.by = by(rpc),
        }
        if self.case.fault.is_harmless() && self.by == By::Us {
            let how = answer.map_or_else(String::new, |rpc| rpc.text.clone());
            self.wrong(Wrong::Lost, format!("an error although all arrives: {how}"));
        }
    }
}

fn by(rpc: &Rpc) -> By {
    match &rpc.error {
        Some(error) if error.contains(r#""source":"mcp-tether""#) => By::Us,
        _ => By::Server,
    }
}

/// What a result says; `None` for an error.
fn text(rpc: &Rpc) -> Option<String> {
    rpc.result.as_ref()?;
    let text = rpc.result()["content"][0]["text"].clone();
    text.as_str().map(str::to_owned)
}

/// Runs these cases, which have their setting, leg and fault in common.
pub async fn run(cases: &[Case], debug: bool) -> Vec<Outcome> {
    let Some(first) = cases.first() else {
        return Vec::new();
    };
    let mut more = vec!["--initialize-wait".to_owned(), "2".to_owned()];
    if first.fault.waits() {
        let limits = SHORT.iter().flat_map(|(name, value)| [name, value]);
        more.extend(limits.map(|word| (*word).to_owned()));
    }
    if first.fault == Fault::Dead && first.setting.transport == Transport::Sse {
        // Nothing else tells that a stream has died that may be silent anyway.
        more.extend(["--ping-interval", "1"].map(str::to_owned));
    }
    if debug {
        more.push("--debug".to_owned());
    }
    let mut stage = Stage::set(first.setting, &more).await;
    let mut outcomes = Vec::new();
    if first.leg.is_fresh() {
        for case in cases {
            outcomes.push(fresh(&mut stage, *case).await);
        }
        return outcomes;
    }
    let mut standing: Option<Bridge> = None;
    let mut texts = Vec::new();
    for case in cases {
        let mut outcome = Outcome::new(*case);
        let mut bridge = match standing.take() {
            Some(bridge) => bridge,
            None => match ready(&mut stage).await {
                Ok(bridge) => bridge,
                Err(how) => {
                    outcome.wrong(Wrong::Next, format!("before the fault: {how}"));
                    outcomes.push(outcome);
                    continue;
                }
            },
        };
        let said = live(&mut stage, &mut bridge, &mut outcome).await;
        texts.push((outcomes.len(), said));
        if outcome.wrong.is_empty() {
            standing = Some(bridge);
        }
        outcomes.push(outcome);
    }
    if let (Some(bridge), Some(last)) = (standing, outcomes.last_mut()) {
        for how in bridge.finish().await {
            last.wrong(Wrong::Lost, how);
        }
    }
    // What was held may have arrived late.
    for (at, said) in texts {
        if stage.far.done(&said) > 1 && outcomes[at].wrong.is_empty() {
            outcomes[at].wrong(Wrong::Doubled, format!("{said} was done twice in the end"));
        }
    }
    outcomes
}

/// A bridge whose session stands.
pub async fn ready(stage: &mut Stage) -> Result<Bridge, String> {
    let mut bridge = stage.bridge();
    let said = hello(stage, &mut bridge, &mut Mercy::None).await;
    said.map_err(|how| format!("{how}\n{}", bridge.stderr()))?;
    next(stage, &mut bridge, Mercy::None).await?;
    Ok(bridge)
}

/// One more call, which has to work, and has to be done once. Gives how many tries it took beyond the first.
async fn next(stage: &mut Stage, bridge: &mut Bridge, mut mercy: Mercy) -> Result<usize, String> {
    let (mut again, mut anew) = (0, false);
    loop {
        let said = stage.text();
        let id = bridge.call(&said).await;
        let answer = bridge.answer(&id).await;
        let done = stage.far.done(&said);
        let right = answer
            .as_ref()
            .and_then(text)
            .is_some_and(|text| text == said);
        if right && done == 1 {
            return Ok(again);
        }
        let told = answer.as_ref().map_or("none", |rpc| rpc.text.as_str());
        if !anew && answer.as_ref().is_some_and(|rpc| mercy.begins_anew(rpc)) {
            anew = true;
            *bridge = stage.start(&bridge.home);
            hello(stage, bridge, &mut mercy).await?;
        } else if answer.is_none() || done > 1 || !mercy.spend().await {
            return Err(format!("{said} was done {done} times, answer: {told}"));
        }
        again += 1;
    }
}

/// Says hello until somebody answers. Gives how many tries it took beyond the first.
async fn hello(stage: &Stage, bridge: &mut Bridge, mercy: &mut Mercy) -> Result<usize, String> {
    let (mut again, mut anew) = (0, false);
    loop {
        let id = bridge.hello().await;
        let answer = bridge.answer(&id).await;
        if answer.as_ref().is_some_and(|rpc| rpc.result.is_some()) {
            bridge.welcomed().await;
            return Ok(again);
        }
        let told = answer.as_ref().map_or("none", |rpc| rpc.text.as_str());
        if !anew && answer.as_ref().is_some_and(|rpc| mercy.begins_anew(rpc)) {
            anew = true;
            *bridge = stage.start(&bridge.home);
        } else if answer.is_none() || !mercy.spend().await {
            return Err(format!("hello: {told}"));
        }
        again += 1;
    }
}

/// A case in a session that stands. Gives what the disturbed call says.
async fn live(stage: &mut Stage, bridge: &mut Bridge, outcome: &mut Outcome) -> String {
    let case = outcome.case;
    let started = Instant::now();
    let said = stage.text();
    if case.leg == Leg::Renew {
        // On an event stream an answer may be there before its POST is; only that shows that the token is good.
        for _ in 0..3 {
            if let Err(how) = next(stage, bridge, Mercy::None).await {
                outcome.wrong(Wrong::Next, format!("before the fault: {how}"));
            }
        }
        stage.far.revoke();
    }
    let before = stage.far.all_done();
    let arm = stage.arm(&case, &said);
    let id = bridge.call(&said).await;
    let mut others = 0;
    if case.fault == Fault::Hold {
        others = 1;
        overtake(stage, bridge, &arm, outcome).await;
        stage.proxy.disarm(&arm);
    }
    let answer = bridge.answer(&id).await;
    stage.proxy.disarm(&arm);
    outcome.took = started.elapsed();
    outcome.answered(answer.as_ref(), bridge.has_gone());
    let mercy = Mercy::of(outcome);
    match next(stage, bridge, mercy).await {
        Ok(again) => outcome.again = again,
        Err(how) => outcome.wrong(Wrong::Next, how),
    }
    let done = stage.far.done(&said);
    let in_all = stage.far.all_done() - before;
    if done > 1 {
        outcome.wrong(Wrong::Doubled, format!("{said} was done {done} times"));
    } else if !case.fault.is_honest() && in_all > 2 + others + outcome.again {
        outcome.wrong(Wrong::Doubled, format!("{in_all} calls were done"));
    }
    let told = answer.as_ref().and_then(text);
    if let (Some(told), true) = (&told, case.fault.is_honest())
        && (*told != said || done == 0)
    {
        outcome.wrong(
            Wrong::Lost,
            format!("{said} was answered by {told}, done {done} times"),
        );
    }
    looked_at(outcome, &arm, answer.as_ref(), bridge);
    said
}

/// Waits until the disturbed call is held, and has another one come and go.
async fn overtake(stage: &mut Stage, bridge: &mut Bridge, arm: &Arc<Arm>, outcome: &mut Outcome) {
    let held = tokio::time::timeout(WATCHDOG, arm.fired.opened()).await;
    if held.is_err() {
        return outcome.wrong(Wrong::Hung, "it was never held");
    }
    if outcome.case.side == Side::Events {
        // The one stream has all answers: only a request can overtake.
        let said = stage.text();
        let id = bridge.call(&said).await;
        let passed = tokio::time::timeout(WATCHDOG, stage.far.until_done(&said)).await;
        stage.proxy.disarm(arm);
        let answer = bridge.answer(&id).await;
        if passed.is_err() || answer.as_ref().and_then(text) != Some(said) {
            let answer = answer.map(|rpc| rpc.text);
            outcome.wrong(Wrong::Next, format!("beside what is held: {answer:?}"));
        }
        return;
    }
    if let Err(how) = next(stage, bridge, Mercy::None).await {
        outcome.wrong(Wrong::Next, format!("beside what is held: {how}"));
    }
}

/// A case of a bridge that has just started.
async fn fresh(stage: &mut Stage, case: Case) -> Outcome {
    let mut outcome = Outcome::new(case);
    let started = Instant::now();
    let arm = stage.arm(&case, "");
    let mut bridge = stage.bridge();
    let id = bridge.hello().await;
    let answer = bridge.answer(&id).await;
    stage.proxy.disarm(&arm);
    outcome.took = started.elapsed();
    outcome.answered(answer.as_ref(), bridge.has_gone());
    let welcome = answer.as_ref().is_some_and(|rpc| rpc.result.is_some());
    match settle(stage, &mut bridge, welcome, Mercy::of(&outcome)).await {
        Ok(again) => outcome.again = again,
        Err(how) => outcome.wrong(Wrong::Next, how),
    }
    looked_at(&mut outcome, &arm, answer.as_ref(), &bridge);
    if outcome.wrong.is_empty() {
        for how in bridge.finish().await {
            outcome.wrong(Wrong::Lost, how);
        }
    }
    outcome
}

/// What comes after the first hello: another one if it failed, and a call. Gives how many tries that took beyond the first.
async fn settle(
    stage: &mut Stage,
    bridge: &mut Bridge,
    welcome: bool,
    mut mercy: Mercy,
) -> Result<usize, String> {
    let again = if welcome {
        bridge.welcomed().await;
        0
    } else {
        hello(stage, bridge, &mut mercy).await?
    };
    Ok(next(stage, bridge, mercy).await? + again)
}

/// Books a fault that never met its bytes, and all that helps to see why something is wrong.
fn looked_at(outcome: &mut Outcome, arm: &Arm, answer: Option<&Rpc>, bridge: &Bridge) {
    let lock = crate::support::gate::lock;
    if !arm.met.is_open() {
        outcome.wrong(Wrong::Lost, "its request never came");
    }
    let shown = |side: Side, bytes: &[u8]| {
        let (own, _, at) = arm.fault.unwrap_or((side, Fault::Cut, bytes.len()));
        let at = at.min(bytes.len());
        if own == side {
            let (before, after) = bytes.split_at(at);
            format!("{}<<HERE>>{}", before.escape_ascii(), after.escape_ascii())
        } else {
            bytes.escape_ascii().to_string()
        }
    };
    outcome.report = format!(
        "fired: {}\nrequest: {}\nanswer: {}\nevents: {}\nthe client got: {}\nstderr:\n{}",
        arm.fired.is_open(),
        shown(Side::Request, &lock(&arm.request)),
        shown(Side::Answer, &lock(&arm.answer)),
        shown(Side::Events, &lock(&arm.events)),
        answer.map_or("nothing", |rpc| rpc.text.as_str()),
        bridge.stderr(),
    );
}
