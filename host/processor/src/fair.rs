//! A semaphore for permits that callers share: whose turn it is goes by account, not by who came first.
//!
//! Next is the account that holds the fewest permits, and among equals the one whose last turn was longest ago; within an account it is
//! first come, first served. So an account with a thousand waiters delays another by one permit at most. The room to wait is bounded:
//! when it is full, whoever came last of the account with the most waiters has to go.
//!
//! Nothing takes a permit back. So where permits are held for long, an account gets another one only while it holds fewer than are free:
//! alone it has half of them, beside such another a third. See [`Share`].
//!
//! Every operation takes time logarithmic in the waiters. While nobody waits, nothing is kept of an account that holds nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::account::Account;

/// Accounts that neither hold nor wait and whose last turn is remembered while others wait: they come back after each of their turns. One
/// that is forgotten comes after all that wait.
const REMEMBERED: usize = 1000;

/// A semaphore that is fair between accounts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FairSemaphore(Arc<Inner>);

/// How many of the permits one account may hold. It is all of them for an account that stands for more than one caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All that are free: each is held for a moment, so others wait for no more than that.
    All,
    /// An account gets another permit only while it holds fewer than are free: alone it gets half of them, rounded up. For permits held
    /// during a whole call or while its answer is read.
    Half,
}

/// Permits that an account holds until this is dropped.
#[derive(Debug)]
pub struct FairPermit {
    semaphore: FairSemaphore,
    account: Account,
    count: usize,
}

/// Why an account has got no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPermit {
    /// Not as many are free.
    Taken,
    /// They are free for others: the account holds so many.
    LeftToOthers {
        /// The permits that the account holds.
        held: usize,
    },
}

#[derive(Debug)]
struct Inner {
    share: Share,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    permits: usize,
    /// May be more than there are permits, where these have become fewer.
    taken: usize,
    /// How many may wait, and how many do.
    room: usize,
    waiting: usize,
    accounts: HashMap<Account, Standing>,
    /// Those that neither hold nor wait, by their last turn.
    idle: BTreeMap<u64, Account>,
    /// Those that wait, by whose turn it is: what they hold as far as it counts, and their last turn.
    turns: BTreeSet<(usize, u64, Account)>,
    /// Those that wait, by how many waiters they have.
    crowds: BTreeSet<(usize, Account)>,
    /// Numbers waiters and turns in the order in which they came.
    next: u64,
}

/// How an account stands.
#[derive(Debug, Default)]
struct Standing {
    held: usize,
    /// Its last turn; where none is known, when it began to wait.
    since: u64,
    waiters: BTreeMap<u64, Waiter>,
}

/// Tells whoever waits; dropped, it says that there is no room to wait any more.
type Waiter = oneshot::Sender<FairPermit>;

/// A waiter's place in line, which is free again once this is dropped.
struct Waiting<'a> {
    semaphore: &'a FairSemaphore,
    account: &'a Account,
    number: u64,
}

/// What becomes of somebody who asks for a permit.
enum Asked {
    Holds,
    Waits { number: u64, permit: oneshot::Receiver<FairPermit>, instead_of: Option<Waiter> },
}

impl FairSemaphore {
    /// So many permits, and room for so many to wait.
    pub fn new(share: Share, permits: usize, room: usize) -> Self {
        let state = State {
            permits,
            taken: 0,
            room,
            waiting: 0,
            accounts: HashMap::new(),
            idle: BTreeMap::new(),
            turns: BTreeSet::new(),
            crowds: BTreeSet::new(),
            next: 0,
        };
        Self(Arc::new(Inner { share, state: Mutex::new(state) }))
    }

    /// How many permits there are.
    pub fn permits(&self) -> usize {
        self.lock().permits
    }

    /// Sets the number of permits and of waiting places. Permits already held stay valid, even if more are held than there are now.
    pub fn resize(&self, permits: usize, room: usize) {
        let mut state = self.lock();
        (state.permits, state.room) = (permits, room);
        self.hand_out(state);
    }

    /// How many permits are taken. They can be more than there are, where these have become fewer.
    pub fn taken(&self) -> usize {
        self.lock().taken
    }

    /// How many wait for one.
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    /// Takes so many permits, if the account may have them now.
    pub fn try_acquire(&self, account: &Account, count: usize) -> Result<FairPermit, NoPermit> {
        let share = self.0.share;
        let mut state = self.lock();
        if !state.may_take(share, account, count) {
            return Err(state.why_not(account, count));
        }
        state.take(account, count);
        drop(state);
        Ok(self.permit(account, count))
    }

    /// Waits for a permit. Fails where there is no room to wait, or no more, since it is for accounts with fewer waiters.
    pub async fn acquire(&self, account: &Account) -> Result<FairPermit, NoPermit> {
        let asked = self.lock().ask(self.0.share, account)?;
        match asked {
            Asked::Holds => Ok(self.permit(account, 1)),
            Asked::Waits { number, permit, instead_of } => {
                drop(instead_of);
                let _waiting = Waiting { semaphore: self, account, number };
                permit.await.map_err(|_no_room| self.why_not(account))
            }
        }
    }

    /// Why the account would get no permit now.
    pub fn why_not(&self, account: &Account) -> NoPermit {
        self.lock().why_not(account, 1)
    }

    fn permit(&self, account: &Account, count: usize) -> FairPermit {
        FairPermit { semaphore: self.clone(), account: account.clone(), count }
    }

    /// Hands out what is free. Nobody is told while the lock is held: who has gone meanwhile gives the permit back.
    fn hand_out(&self, mut state: MutexGuard<'_, State>) {
        let next = std::iter::from_fn(|| state.next_turn(self.0.share));
        let told: Vec<(Account, Waiter)> = next.collect();
        drop(state);
        for (account, waiter) in told {
            drop(waiter.send(self.permit(&account, 1)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No change of the state can panic half-way, so a panic elsewhere leaves nothing broken.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn free(&self) -> usize {
        self.permits.saturating_sub(self.taken)
    }

    fn held(&self, account: &Account) -> usize {
        self.accounts.get(account).map_or(0, |standing| standing.held)
    }

    fn may_take(&self, share: Share, account: &Account, count: usize) -> bool {
        let kept_free = if share == Share::Half { counted(account, self.held(account)) } else { 0 };
        kept_free.saturating_add(count) <= self.free()
    }

    fn why_not(&self, account: &Account, count: usize) -> NoPermit {
        match self.held(account) {
            held if held > 0 && count <= self.free() => NoPermit::LeftToOthers { held },
            _ => NoPermit::Taken,
        }
    }

    fn take(&mut self, account: &Account, count: usize) {
        let number = self.tick();
        self.taken += count;
        self.change(account, |standing| (standing.held, standing.since) = (standing.held + count, number));
    }

    /// Takes a permit, or a place in line. If an account may take a permit, none of its waiters is passed over: they would have it.
    fn ask(&mut self, share: Share, account: &Account) -> Result<Asked, NoPermit> {
        if self.may_take(share, account, 1) {
            self.take(account, 1);
            return Ok(Asked::Holds);
        }
        let instead_of = if self.waiting < self.room { None } else { Some(self.make_room(account)?) };
        let number = self.tick();
        let (tell, permit) = oneshot::channel();
        self.waiting += 1;
        self.change(account, |standing| {
            if standing.since == 0 {
                standing.since = number;
            }
            standing.waiters.insert(number, tell);
        });
        Ok(Asked::Waits { number, permit, instead_of })
    }

    /// Takes its place from whoever came last of the account with the most waiters, unless this would be the one.
    fn make_room(&mut self, newcomer: &Account) -> Result<Waiter, NoPermit> {
        let own = self.accounts.get(newcomer).map_or(0, |standing| standing.waiters.len());
        let (_, account) = self.crowds.last().filter(|(most, _)| own + 1 < *most).ok_or(self.why_not(newcomer, 1))?.clone();
        let last = self.change(&account, |standing| standing.waiters.pop_last());
        let (_, waiter) = last.ok_or(NoPermit::Taken)?;
        self.waiting -= 1;
        Ok(waiter)
    }

    /// Gives the next waiter a permit, if there is one for it. Who is first in turn holds the fewest: if that one may not have it, none may.
    fn next_turn(&mut self, share: Share) -> Option<(Account, Waiter)> {
        let (_, _, account) = self.turns.first()?.clone();
        if !self.may_take(share, &account, 1) {
            return None;
        }
        let number = self.tick();
        self.waiting -= 1;
        self.taken += 1;
        let first = self.change(&account, |standing| {
            (standing.held, standing.since) = (standing.held + 1, number);
            standing.waiters.pop_first()
        });
        first.map(|(_, waiter)| (account, waiter))
    }

    /// Changes how an account stands, and with it its places in each order.
    fn change<T>(&mut self, account: &Account, change: impl FnOnce(&mut Standing) -> T) -> T {
        let mut standing = self.accounts.remove(account).unwrap_or_default();
        if !standing.waiters.is_empty() {
            self.turns.remove(&standing.turn(account));
            self.crowds.remove(&standing.crowd(account));
        } else if standing.held == 0 {
            self.idle.remove(&standing.since);
        }
        let changed = change(&mut standing);
        if !standing.waiters.is_empty() {
            self.turns.insert(standing.turn(account));
            self.crowds.insert(standing.crowd(account));
        } else if standing.held == 0 {
            if standing.since == 0 {
                // Whoever goes away last of an account that is forgotten.
                return changed;
            }
            self.idle.insert(standing.since, account.clone());
        }
        self.accounts.insert(account.clone(), standing);
        self.forget();
        changed
    }

    /// Forgets last turns that make no difference, or too many.
    fn forget(&mut self) {
        let remembered = if self.turns.is_empty() { 0 } else { REMEMBERED };
        while self.idle.len() > remembered
            && let Some((_, account)) = self.idle.pop_first()
        {
            self.accounts.remove(&account);
        }
    }

    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// What an account holds, as far as that is held against it.
fn counted(account: &Account, held: usize) -> usize {
    if account.is_one_caller() { held } else { 0 }
}

impl Standing {
    fn turn(&self, account: &Account) -> (usize, u64, Account) {
        (counted(account, self.held), self.since, account.clone())
    }

    fn crowd(&self, account: &Account) -> (usize, Account) {
        (self.waiters.len(), account.clone())
    }
}

impl Drop for FairPermit {
    fn drop(&mut self) {
        let mut state = self.semaphore.lock();
        state.taken -= self.count;
        state.change(&self.account, |standing| standing.held -= self.count);
        self.semaphore.hand_out(state);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.semaphore.lock();
        let waiter = state.change(self.account, |standing| standing.waiters.remove(&self.number));
        state.waiting -= usize::from(waiter.is_some());
        // Its receiver may be told of it, which is nothing to do under the lock.
        drop(state);
        drop(waiter);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::*;

    fn user(name: &str) -> Account {
        Account::User(name.into())
    }

    /// Somebody who waits, or has got a permit or been sent away.
    type Asking = BoxFuture<'static, Result<FairPermit, NoPermit>>;

    fn ask(semaphore: &FairSemaphore, account: &Account) -> Asking {
        let (semaphore, account) = (semaphore.clone(), account.clone());
        async move { semaphore.acquire(&account).await }.boxed()
    }

    /// One who has to wait.
    fn waits(semaphore: &FairSemaphore, account: &Account) -> Asking {
        let mut asking = ask(semaphore, account);
        assert!((&mut asking).now_or_never().is_none(), "{account:?} waits");
        asking
    }

    fn has(asking: &mut Asking) -> Option<FairPermit> {
        asking.now_or_never().map(|permit| permit.expect("it was not sent away"))
    }

    fn is_empty(semaphore: &FairSemaphore) -> bool {
        let state = semaphore.lock();
        state.taken == 0
            && state.waiting == 0
            && state.accounts.is_empty()
            && state.idle.is_empty()
            && state.turns.is_empty()
            && state.crowds.is_empty()
    }

    #[test]
    fn one_account_alone_has_all_of_what_is_held_for_a_moment() {
        let turns = FairSemaphore::new(Share::All, 3, 10);
        let ann = user("ann");
        let held: Vec<_> = (0..3).map(|_| turns.try_acquire(&ann, 1).expect("free")).collect();
        assert_eq!(turns.try_acquire(&ann, 1).expect_err("all are taken"), NoPermit::Taken);
        drop(held);
        assert!(is_empty(&turns));
    }

    #[test]
    fn an_account_in_line_a_hundred_times_delays_another_by_one_permit() {
        let turns = FairSemaphore::new(Share::All, 1, 1000);
        let (ann, bob) = (user("ann"), user("bob"));
        let first = turns.try_acquire(&ann, 1).expect("free");
        let mut greedy: Vec<_> = (0..100).map(|_| waits(&turns, &ann)).collect();
        let mut other = waits(&turns, &bob);
        drop(first);
        let second = has(&mut greedy[0]).expect("it was first");
        assert!(has(&mut other).is_none());
        drop(second);
        assert!(greedy[1..].iter_mut().all(|asking| has(asking).is_none()));
        drop(has(&mut other).expect("its turn"));
        assert!(has(&mut greedy[1]).is_some(), "first come, first served within an account");
    }

    #[test]
    fn whoever_comes_back_after_each_turn_has_every_other_one() {
        let turns = FairSemaphore::new(Share::All, 1, 1000);
        let (ann, bob) = (user("ann"), user("bob"));
        let mut held = turns.try_acquire(&bob, 1).expect("free");
        let mut greedy: Vec<_> = (0..10).map(|_| waits(&turns, &ann)).collect();
        for _ in 0..10 {
            drop(held);
            let of_ann = has(&mut greedy.remove(0)).expect("she alone waits");
            let mut back = waits(&turns, &bob);
            drop(of_ann);
            held = has(&mut back).expect("her turn was later than his last");
        }
        drop(held);
        assert!(is_empty(&turns));
    }

    #[test]
    fn of_those_who_are_away_few_are_remembered_and_none_once_nobody_waits() {
        let places = FairSemaphore::new(Share::Half, 2, 1);
        let held = places.try_acquire(&user("ann"), 1).expect("free");
        let waiting = waits(&places, &user("ann"));
        for number in 0..2 * REMEMBERED {
            drop(places.try_acquire(&user(&number.to_string()), 1).expect("it is left to others"));
        }
        assert_eq!(places.lock().accounts.len(), REMEMBERED + 1);
        drop(waiting);
        assert_eq!(places.lock().accounts.len(), 1);
        drop(held);
        assert!(is_empty(&places));
    }

    #[test]
    fn next_is_who_holds_the_fewest() {
        let turns = FairSemaphore::new(Share::All, 4, 10);
        let (ann, bob, eve) = (user("ann"), user("bob"), user("eve"));
        let [mut of_ann, of_bob] =
            [(&ann, 3), (&bob, 1)].map(|(account, count)| (0..count).map(|_| turns.try_acquire(account, 1)).collect::<Vec<_>>());
        let (mut ann_waits, mut bob_waits, mut eve_waits) = (waits(&turns, &ann), waits(&turns, &bob), waits(&turns, &eve));
        of_ann.pop();
        let first = has(&mut eve_waits).expect("she holds none");
        of_ann.pop();
        // Both hold one now, and bob came later.
        let second = has(&mut ann_waits).expect("she waits longest");
        assert!(has(&mut bob_waits).is_none());
        drop((first, second, of_bob));
        assert!(has(&mut bob_waits).is_some());
    }

    #[test]
    fn no_caller_holds_more_than_it_leaves_free_of_what_is_held_for_long() {
        let most = |permits: usize, account: &Account| {
            let places = FairSemaphore::new(Share::Half, permits, 0);
            std::iter::from_fn(|| places.try_acquire(account, 1).ok()).collect::<Vec<_>>().len()
        };
        for (permits, held) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (10, 5), (1000, 500)] {
            assert_eq!(most(permits, &user("ann")), held, "{permits}");
            assert_eq!(most(permits, &Account::Anonymous), permits, "that may be everybody");
            assert_eq!(most(permits, &Account::Operator), permits);
        }
        let places = FairSemaphore::new(Share::Half, 10, 0);
        let fill = |name: &str| std::iter::from_fn(|| places.try_acquire(&user(name), 1).ok()).collect::<Vec<_>>();
        let held = ["ann", "bob", "eve", "dan"].map(fill);
        assert_eq!(held.each_ref().map(Vec::len), [5, 3, 1, 1], "each finds one, whoever is there");
        assert_eq!(places.why_not(&user("ann")), NoPermit::Taken);
        drop(held);
        assert!(is_empty(&places));
    }

    #[test]
    fn what_is_left_to_others_is_theirs_at_once_though_the_greedy_wait() {
        let places = FairSemaphore::new(Share::Half, 4, 10);
        let (ann, bob) = (user("ann"), user("bob"));
        let mut held: Vec<_> = (0..2).map(|_| places.try_acquire(&ann, 1).expect("free")).collect();
        let mut greedy = waits(&places, &ann);
        assert_eq!(places.why_not(&ann), NoPermit::LeftToOthers { held: 2 });
        let other = places.try_acquire(&bob, 1).expect("it is for others");
        held.pop();
        assert!(has(&mut greedy).is_some(), "one held, two free");
        drop(other);
    }

    #[test]
    fn many_permits_at_once_are_counted_together() {
        let bytes = FairSemaphore::new(Share::Half, 100, 0);
        let (ann, bob) = (user("ann"), user("bob"));
        let first = bytes.try_acquire(&ann, 40).expect("free");
        assert_eq!(
            bytes.try_acquire(&ann, 21).expect_err("she would hold more than is left"),
            NoPermit::LeftToOthers { held: 40 }
        );
        assert!(bytes.try_acquire(&bob, 60).is_ok(), "whoever holds none may have all that is free");
        assert_eq!(bytes.try_acquire(&bob, 61).expect_err("not as many"), NoPermit::Taken);
        assert_eq!(bytes.try_acquire(&ann, usize::MAX).expect_err("not as many"), NoPermit::Taken);
        drop(first);
        assert!(is_empty(&bytes));
    }

    #[test]
    fn a_full_room_is_not_one_accounts_alone() {
        let turns = FairSemaphore::new(Share::All, 1, 4);
        let (ann, bob, eve) = (user("ann"), user("bob"), user("eve"));
        let held = turns.try_acquire(&ann, 1).expect("free");
        let mut greedy: Vec<_> = (0..4).map(|_| waits(&turns, &ann)).collect();
        assert_eq!(ask(&turns, &ann).now_or_never().map(Result::err), Some(Some(NoPermit::Taken)));
        let sent_away = |asking: &mut Asking| asking.now_or_never().is_some_and(|permit| permit.is_err());
        let mut others = vec![waits(&turns, &bob)];
        assert!(sent_away(&mut greedy.remove(3)), "who came last of those with the most");
        others.push(waits(&turns, &bob));
        assert!(sent_away(&mut greedy.remove(2)));
        // Two each: whoever comes would be the one too many of theirs.
        assert!(sent_away(&mut ask(&turns, &bob)) && sent_away(&mut ask(&turns, &ann)));
        others.push(waits(&turns, &eve));
        assert_eq!(turns.lock().waiting, 4);
        drop((held, greedy, others));
        assert!(is_empty(&turns));
    }

    #[test]
    fn where_there_is_no_room_nobody_waits() {
        let turns = FairSemaphore::new(Share::All, 1, 0);
        let _held = turns.try_acquire(&user("ann"), 1).expect("free");
        assert_eq!(ask(&turns, &user("bob")).now_or_never().map(Result::err), Some(Some(NoPermit::Taken)));
    }

    #[test]
    fn whoever_goes_away_leaves_nothing_behind() {
        let turns = FairSemaphore::new(Share::All, 1, 10);
        let (ann, bob) = (user("ann"), user("bob"));
        let held = turns.try_acquire(&ann, 1).expect("free");
        let (gone, told, mut last) = (waits(&turns, &bob), waits(&turns, &bob), waits(&turns, &ann));
        drop(gone);
        assert_eq!(turns.lock().waiting, 2);
        drop(held);
        // It has the permit, and has not heard of it yet.
        assert_eq!(turns.lock().waiting, 1);
        drop(told);
        drop(has(&mut last).expect("it is handed on"));
        assert!(is_empty(&turns));
    }

    #[test]
    fn with_fewer_permits_those_that_are_held_end_first() {
        let turns = FairSemaphore::new(Share::All, 3, 10);
        let ann = user("ann");
        let mut held: Vec<_> = (0..3).map(|_| turns.try_acquire(&ann, 1).expect("free")).collect();
        let mut waiting = waits(&turns, &ann);
        turns.resize(1, 10);
        held.pop();
        held.pop();
        assert!(has(&mut waiting).is_none(), "one is held, and one there is");
        turns.resize(2, 10);
        assert!(has(&mut waiting).is_some());
        assert_eq!(turns.permits(), 2);
    }

    /// Numbers that look random, the same in each run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, limit: usize) -> usize {
            // Xorshift.
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % limit as u64).expect("it is small")
        }
    }

    /// One who has asked: its account, whether it is in line, and since when; and its turn's account since when.
    struct Asker {
        account: usize,
        number: usize,
        asking: Option<Asking>,
        permit: Option<FairPermit>,
    }

    /// What the semaphore should do, said in the plainest way: all of it is looked through each time.
    struct Model {
        share: Share,
        permits: usize,
        room: usize,
        held: Vec<Vec<usize>>,
        line: Vec<Vec<usize>>,
        since: Vec<usize>,
        clock: usize,
    }

    impl Model {
        fn counted(&self, account: usize) -> usize {
            // The first account is that of everybody who is not authenticated.
            if account == 0 { 0 } else { self.held[account].len() }
        }

        fn may(&self, account: usize) -> bool {
            let held: usize = self.held.iter().map(Vec::len).sum();
            let free = self.permits.saturating_sub(held);
            free > 0 && (self.share == Share::All || self.counted(account) < free)
        }

        /// Somebody asks; the one who is sent away for it, if any.
        fn ask(&mut self, account: usize, number: usize) -> Option<usize> {
            if self.may(account) {
                self.clock += 1;
                self.since[account] = self.clock;
                self.held[account].push(number);
                return None;
            }
            self.clock += 1;
            let mut sent_away = None;
            if self.line.iter().map(Vec::len).sum::<usize>() >= self.room {
                let most = self.line.iter().map(Vec::len).max().unwrap_or_default();
                if self.line[account].len() + 1 >= most {
                    return Some(number);
                }
                // Accounts are ordered by their names, and the last of those with as many has to give.
                let longest = (0..self.line.len()).filter(|of| self.line[*of].len() == most).max().expect("one");
                sent_away = self.line[longest].pop();
            }
            if self.since[account] == 0 {
                self.since[account] = self.clock;
            }
            self.line[account].push(number);
            sent_away
        }

        fn hand_out(&mut self) {
            loop {
                let waiting = (0..self.line.len()).filter(|account| !self.line[*account].is_empty());
                let next = waiting.min_by_key(|account| (self.counted(*account), self.since[*account]));
                let Some(next) = next.filter(|account| self.may(*account)) else { return };
                self.clock += 1;
                self.since[next] = self.clock;
                let number = self.line[next].remove(0);
                self.held[next].push(number);
            }
        }

        fn give_back(&mut self, account: usize, number: usize) {
            self.held[account].retain(|held| *held != number);
            self.line[account].retain(|waiting| *waiting != number);
            self.hand_out();
        }

        /// Where nobody waits, nobody's last turn counts.
        fn forget(&mut self) {
            if self.line.iter().all(Vec::is_empty) {
                for (account, held) in self.held.iter().enumerate() {
                    if held.is_empty() {
                        self.since[account] = 0;
                    }
                }
            }
        }
    }

    #[test]
    fn it_does_what_is_said_of_it_in_any_order_of_events() {
        const ACCOUNTS: usize = 5;
        const STEPS: usize = 3000;
        let accounts: Vec<Account> =
            std::iter::once(Account::Anonymous).chain((1..ACCOUNTS).map(|number| user(&number.to_string()))).collect();
        for seed in 1..=40 {
            let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
            let share = if seed % 2 == 0 { Share::All } else { Share::Half };
            let (permits, room) = (1 + numbers.below(8), numbers.below(12));
            let semaphore = FairSemaphore::new(share, permits, room);
            let (held, line, since) = (vec![Vec::new(); ACCOUNTS], vec![Vec::new(); ACCOUNTS], vec![0; ACCOUNTS]);
            let mut model = Model { share, permits, room, held, line, since, clock: 0 };
            let mut askers: Vec<Asker> = Vec::new();
            for number in 0..STEPS {
                match numbers.below(8) {
                    0..4 => {
                        let account = numbers.below(ACCOUNTS);
                        let mut asking = ask(&semaphore, &accounts[account]);
                        // Asks, and says so only when it has.
                        let outcome = (&mut asking).now_or_never();
                        let sent_away = model.ask(account, number);
                        assert_eq!(outcome.as_ref().is_some_and(Result::is_err), sent_away == Some(number));
                        let permit = outcome.and_then(Result::ok);
                        if sent_away != Some(number) {
                            let asking = permit.is_none().then_some(asking);
                            askers.push(Asker { account, number, asking, permit });
                        }
                        if let Some(at) = askers.iter().position(|asker| Some(asker.number) == sent_away) {
                            let asking = askers.remove(at).asking.expect("it waited");
                            assert!(asking.now_or_never().is_some_and(|permit| permit.is_err()), "it has to go");
                        }
                    }
                    4..7 if !askers.is_empty() => {
                        // Its permit or its place in line is given back, whether it has heard of a permit or not.
                        let Asker { account, number, .. } = askers.swap_remove(numbers.below(askers.len()));
                        model.give_back(account, number);
                    }
                    7 if numbers.below(10) == 0 => {
                        model.permits = 1 + numbers.below(8);
                        semaphore.resize(model.permits, room);
                        model.hand_out();
                    }
                    _ => {}
                }
                model.forget();
                // Some look at once whether they have been told, and some never do.
                for asker in askers.iter_mut().filter(|asker| asker.number % 3 > 0) {
                    if let Some(permit) = asker.asking.as_mut().and_then(has) {
                        (asker.permit, asker.asking) = (Some(permit), None);
                    }
                    let has_permit = model.held[asker.account].contains(&asker.number);
                    assert_eq!(asker.permit.is_some(), has_permit, "seed {seed}, step {number}");
                }
                let state = semaphore.lock();
                let (taken, waiting) = (model.held.iter().map(Vec::len).sum(), model.line.iter().map(Vec::len).sum());
                assert_eq!((state.taken, state.waiting), (taken, waiting), "seed {seed}, step {number}");
                assert!(state.waiting <= room);
            }
            drop(askers);
            assert!(is_empty(&semaphore), "seed {seed}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn nothing_is_lost_where_many_come_and_go_at_once() {
        let semaphore = FairSemaphore::new(Share::Half, 3, 8);
        let tasks = (0..16_u64).map(|task| {
            let (semaphore, account) = (semaphore.clone(), user(&(task % 4).to_string()));
            tokio::spawn(async move {
                let mut numbers = Numbers(task + 1);
                for _ in 0..2000 {
                    let mut asking = ask(&semaphore, &account);
                    for _ in 0..numbers.below(4) {
                        // Dropped as likely in line as told, and not seldom in between.
                        if let Some(permit) = (&mut asking).now_or_never() {
                            tokio::task::yield_now().await;
                            drop(permit);
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no panic");
        }
        assert!(is_empty(&semaphore));
        assert!(semaphore.try_acquire(&Account::Anonymous, 3).is_ok(), "all of them are there");
    }
}
