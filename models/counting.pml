/* SPDX-License-Identifier: MIT */
/*
 * counting.pml -- two hosts that share one count, and three clients.
 *
 * What doc/behaviour.md b1 to b4, b6 and b11 and doc/protocol.md, "RPC", say,
 * without bytes: a host takes one or two requests into a turn, judges them,
 * takes the group's lock in the shared database, brings its copy of the rows
 * up to date, applies the requests in order, and commits, by which the rows are
 * seen and the lock is free; then it waits until the database's log is on disk,
 * which is written in order, and only then signs.  Where a commit fails it says BUSY; where its outcome is unknown it says BUSY
 * and ends, and another start follows.  A client asks with a fresh nonce each
 * time, and goes to the other host where one does not answer.
 *
 * Everything bad is taken from one budget, FAULTS, in any order and place:
 * a request or a reply lost, one that comes twice, a client that does not
 * wait, a host that dies between any two of its steps, a database that does not
 * take a transaction, a commit of which nobody hears whether it was done, a
 * database that crashes and comes back with what was on disk, the database's clock set forth or back, a host's clock beyond its certificate.
 * Messages overtake each other as they like.  When the budget is gone the rest
 * is calm, and clocks are repaired.
 *
 *   I1  whoever was answered OK has a row on disk, whatever ends after that
 *   I2  the table holds no client that never asked; the CMID of a probe never
 *   I3  one client counts once: no count above the number of clients that asked
 *   I4  a count that reaches the threshold is signed only after a commit at
 *       which the table's count did, and which is on disk
 *   I5  no nonce is sent twice, no reply accepted twice for one
 *   I6  nothing is signed as of a time when the certificate has ended
 *   I7  every client is answered: no execution ends or goes on without
 *   I8  the count in a reply is the table's right after this client's record
 *
 * -DBUG=1 .. -DBUG=8 plants what I1 .. I8 are there to find, and leaves the
 * other checks out (tools/models.sh).  -DBUG=9 signs before the log is on disk,
 * which is I1's to find.
 */
#ifndef FAULTS
#define FAULTS 1
#endif
#ifndef BUG
#define BUG 0
#endif
#ifndef CLIENTS
#define CLIENTS 3 /* or 2 */
#endif
#define HOSTS 2
#define THRESHOLD 2
#define WINDOW 2               /* ticks for which a row counts */
#define TICKS 3                /* the database's clock is 0 .. TICKS */
#define TRIES (2 * FAULTS + 2) /* one fault costs a client two at most */
#define PROBE 3                /* the CMID of zeros */
#define NOBODY 255
#define FREE 255

#define FINDER (BUG == 9 -> 1 : BUG)
#define HOLDS(n, condition) \
	if \
	:: (condition) || (BUG != 0 && FINDER != n) \
	:: else -> printf("violates I%d\n", n); assert(false) \
	fi

mtype = { OK, BUSY, NOT_ACTIVATED };

typedef rows { byte seen[4] }; /* 0: no row; else 1 + tick; last: zeros */

byte faults = FAULTS;
byte lock = FREE;    /* of the group's row in the database */
rows table;          /* what is committed, and seen by all */
rows durable;        /* what of it is on disk */
bool cut[HOSTS];     /* the database has crashed since the host's begin */
byte clk;            /* the database's clock */
bool late[HOSTS];    /* a host's clock is beyond its certificate */
bool is_true[HOSTS]; /* by the version: nobody committed since its copy */
rows copy[HOSTS];
byte counter;        /* BUG 3 */

/* What only the checks know. */
byte asked[3]; /* nonces sent, a bit each */
byte taken[3]; /* nonces whose reply was accepted */
byte n_asked;        /* clients that asked */
byte peak;           /* greatest count at a commit that is on disk */
byte top;            /* greatest count at a commit since the last crash */
bool answered[3];

chan to_host[HOSTS] = [CLIENTS + FAULTS + 1] of { byte, byte };
chan to_client[3] = [FAULTS + 2] of { byte, mtype, byte };

/* t is the database's time of the transaction. */
#define COUNTS(r, i) (r.seen[i] != 0 && t + 1 < r.seen[i] + WINDOW)
#define COUNT(r) (COUNTS(r, 0) + COUNTS(r, 1) + COUNTS(r, 2))
/* a row of the future is rewritten when it is met */
#define MEET(r, i) r.seen[i] = (r.seen[i] > t + 1 -> t + 1 : r.seen[i])
#define MEET_ALL(r) MEET(r, 0); MEET(r, 1); MEET(r, 2)

/* One record into the copy, and the count after it. */
inline apply(c, n) {
	if
	:: c < PROBE || BUG == 2 -> copy[h].seen[c] = t + 1
	:: else
	fi;
	n = COUNT(copy[h]);
	counter++;
	n = (BUG == 3 -> counter : n)
}

/* The differences are written, and nothing else. */
inline write(c) {
	if
	:: c != NOBODY -> table.seen[c] = copy[h].seen[c]
	:: else
	fi
}

inline committed() {
	MEET_ALL(table);
	write(c1);
	write(c2);
	is_true[1 - h] = false;
	is_true[h] = true;
	now = COUNT(table);
	top = (now > top -> now : top);
	HOLDS(1, (!answered[0] || table.seen[0] != 0) &&
	    (!answered[1] || table.seen[1] != 0) &&
	    (!answered[2] || table.seen[2] != 0));
	HOLDS(2, table.seen[PROBE] == 0 &&
	    (table.seen[0] == 0 || asked[0] != 0) &&
	    (table.seen[1] == 0 || asked[1] != 0) &&
	    (table.seen[2] == 0 || asked[2] != 0));
	HOLDS(8, (c2 == NOBODY && k1 == now) ||
	    (c2 != NOBODY && k2 == now && k1 <= now && k1 + 1 >= now))
}

inline set_rows(to, from) {
	to.seen[0] = from.seen[0];
	to.seen[1] = from.seen[1];
	to.seen[2] = from.seen[2];
	to.seen[PROBE] = from.seen[PROBE]
}

/* The log has an order: with one commit all before it are on disk. */
inline flushed() {
	set_rows(durable, table);
	peak = (top > peak -> top : peak)
}

/* A signed reply.  A probe's is nobody's activation, and is left out. */
inline sign(c, n, count) {
	if
	:: c < PROBE ->
		HOLDS(3, count <= n_asked);
		HOLDS(4, count < THRESHOLD || peak >= THRESHOLD);
		HOLDS(6, in_date);
		to_client[c]!!n, OK, count
	:: else
	fi
}

inline say(c, n, status) {
	if
	:: c < PROBE -> to_client[c]!!n, status, 0
	:: else
	fi
}

#define MAY_DIE \
	if \
	:: skip \
	:: atomic { faults > 0 -> faults--; goto down } \
	fi

proctype Host(byte h) {
	byte c1, n1, k1, c2, n2, k2; /* two requests of a turn, their counts */
	byte t, now;
	bool in_date;

start:
	atomic { c1 = 0; n1 = 0; k1 = 0; c2 = NOBODY; n2 = 0; k2 = 0; t = 0;
	    now = 0; in_date = false };
end_idle:
	if
	:: atomic { to_host[h]??c1, n1 -> skip }
	:: atomic { faults > 0 && nempty(to_host[h]) -> /* it comes again */
		to_host[h]?? <c1, n1>; faults-- }
	:: atomic { faults > 0 && nempty(to_host[h]) -> /* it is lost */
		to_host[h]??c1, n1; faults--; goto start }
	fi;
	if
	:: atomic { to_host[h]??c2, n2 -> skip }
	:: skip
	fi;
	/* judged at the time that becomes issued_at */
	atomic {
		in_date = !late[h];
		if
		:: in_date || BUG == 6
		:: else ->
			say(c1, n1, NOT_ACTIVATED);
			say(c2, n2, NOT_ACTIVATED);
			goto start
		fi
	};
	MAY_DIE;
	/* begin: the lock, and the copy anew if another host has committed */
	if
	:: atomic { lock == FREE -> lock = h; cut[h] = false }
	:: atomic { faults > 0 -> faults--; goto unreachable }
	fi;
	d_step {
		t = clk;
		if
		:: !is_true[h] && BUG != 8 ->
			copy[h].seen[0] = table.seen[0];
			copy[h].seen[1] = table.seen[1];
			copy[h].seen[2] = table.seen[2];
			is_true[h] = true
		:: else
		fi;
		MEET_ALL(copy[h]);
		apply(c1, k1);
		if
		:: c2 != NOBODY -> apply(c2, k2)
		:: else
		fi
	};
	MAY_DIE;
	/* commit: done; not done; done or not, and nobody says which */
	if
	:: atomic { cut[h] -> is_true[h] = false; goto busy }
	:: d_step { !cut[h] -> committed(); lock = FREE }
	:: atomic { faults > 0 && !cut[h] -> faults--; lock = FREE;
		is_true[h] = false; goto busy }
	:: atomic { faults > 0 && !cut[h] -> faults--;
		d_step { committed(); lock = FREE }; goto unknown }
	:: atomic { faults > 0 && !cut[h] -> faults--; lock = FREE;
		goto unknown }
	fi;
	MAY_DIE;
#if BUG != 9
	/* on disk; or the database has crashed, and nobody knows of what */
	if
	:: d_step { !cut[h] -> flushed() }
	:: atomic { cut[h] -> goto unknown }
	fi;
	MAY_DIE;
#endif
	atomic { sign(c1, n1, k1) };
	MAY_DIE;
	atomic { sign(c2, n2, k2); goto start };

unreachable:
	/* b11: it never counts by itself */
#if BUG == 4
	atomic { t = clk; apply(c1, k1); sign(c1, n1, k1); goto start };
#endif
busy:
	atomic { say(c1, n1, BUSY); say(c2, n2, BUSY); goto start };
unknown:
#if BUG == 1
	atomic { sign(c1, n1, k1); goto start };
#else
	atomic { say(c1, n1, BUSY); say(c2, n2, BUSY) };
#endif
	/* it ends, and is started anew; the database rolls back what was open */
down:
	atomic {
		lock = (lock == h && BUG != 7 -> FREE : lock);
		is_true[h] = false;
		copy[h].seen[0] = 0; copy[h].seen[1] = 0; copy[h].seen[2] = 0
	};
	goto start
}

proctype Client(byte c) {
	byte nonce, n, count, h;
	mtype status;

	if
	:: h = 0
	:: h = 1
	fi;
ask:
	/* while no host's clock is right nobody can help */
	atomic {
		!late[0] || !late[1] ->
		nonce = (BUG == 5 && nonce != 0 -> nonce : nonce + 1);
		HOLDS(7, nonce <= TRIES);
		HOLDS(5, (asked[c] & (1 << (nonce - 1))) == 0);
		n_asked = n_asked + (asked[c] == 0);
		asked[c] = asked[c] | (1 << (nonce - 1));
		to_host[h]!!c, nonce
	};
wait:
	if
	:: atomic { to_client[c]??n, status, count -> skip }
	:: atomic { faults > 0 && nempty(to_client[c]) -> /* it comes again */
		to_client[c]?? <n, status, count>; faults-- }
	:: atomic { faults > 0 && nempty(to_client[c]) -> /* it is lost */
		to_client[c]??n, status, count; faults--; goto again }
	:: atomic { faults > 0 -> faults--; goto other } /* impatient */
	:: timeout -> goto other /* nothing moves any more: it was lost */
	fi;
	atomic {
		if
		:: n == nonce && status == OK ->
			HOLDS(5, (taken[c] & (1 << (n - 1))) == 0);
			taken[c] = taken[c] | (1 << (n - 1));
			HOLDS(1, durable.seen[c] != 0);
			answered[c] = true;
			goto done
		:: n == nonce && status != OK -> goto other
		:: else /* of another round */
		fi
	};
again:
	atomic { n = 0; status = 0; count = 0 };
	goto wait;
other:
	atomic { n = 0; status = 0; count = 0; h = 1 - h };
	goto ask;
done:
	atomic { n = 0; status = 0; count = 0 };
	/* what comes after the answer is looked at no more */
end_done:
	do
	:: atomic { to_client[c]??n, status, count -> n = 0; status = 0; count = 0 }
	od
}

/* doctor and audit ask with a CMID of zeros. */
proctype Probe() {
	if
	:: to_host[0]!!PROBE, 1
	:: to_host[1]!!PROBE, 1
	fi
}

/* What is not on disk is gone, and who has a transaction open is told. */
proctype Database() {
end_database:
	do
	:: d_step { faults > 0 ->
		faults--;
		set_rows(table, durable);
		top = 0;
		lock = FREE;
		cut[0] = true;
		cut[1] = true;
		is_true[0] = false;
		is_true[1] = false }
	od
}

proctype Clock() {
end_clock:
	do
	:: atomic { faults > 0 && clk < TICKS -> faults--; clk++ }
	:: atomic { faults > 0 && clk + 2 <= TICKS -> faults--; clk = clk + 2 }
	:: atomic { faults > 0 && clk > 0 -> faults--; clk-- }
	:: atomic { faults > 0 && !late[0] -> faults--; late[0] = true }
	:: atomic { faults > 0 && !late[1] -> faults--; late[1] = true }
	:: atomic { late[0] -> late[0] = false }
	:: atomic { late[1] -> late[1] = false }
	od
}

init {
	atomic {
		clk = 1;
		run Host(0); run Host(1);
		run Client(0); run Client(1);
#if CLIENTS == 3
		run Client(2);
#endif
		run Probe(); run Clock(); run Database()
	}
}

#ifdef LIVE
ltl i7 { <> (answered[0] && answered[1] &&
    (answered[2] || CLIENTS == 2))  }
#endif
