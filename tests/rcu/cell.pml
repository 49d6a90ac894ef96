/* A published cell, its readers, and an updater that reclaims what it replaced.
 *
 * Each statement is one operation on one object that excludes all others, as guestmap/rcu/readers.py
 * counts on: a list's append, pop and copy, the copy of the register, a queue's put and get, and
 * the load or store of one attribute. What is checked, in every order of them: nobody finds
 * what has been reclaimed, and nobody waits for ever.
 *
 * What happens if it were done otherwise: -DEARLY copies the lists before the queue is published,
 * -DHASTY does not wait, -DFORGETFUL lets a thread die without a word.
 */
#ifndef READERS
#define READERS 2
#endif
#ifndef UPDATES
#define UPDATES 2
#endif
#ifndef SECTIONS
#define SECTIONS 2
#endif
#define NONE 0

byte published;                                  /* the cell */
bool reclaimed[UPDATES + 1];
bool registered[READERS];
byte held[READERS];                              /* open sections of each thread */
byte reports;                                    /* the queue where threads report, or NONE */
chan queue[UPDATES + 1] = [2 * READERS] of { byte };

proctype reader(byte me)
{
	byte found, number, mine, last, sections;

	registered[me] = true;
	do
	:: sections == SECTIONS -> break
	:: sections < SECTIONS ->
		sections++;
		held[me]++;
		if                                       /* sections nest */
		:: held[me]++
		:: skip
		fi;
		found = published;
		assert(!reclaimed[found]);
		if
		:: held[me] == 2 -> held[me]--; goto leave_inner
		:: else
		fi;
		assert(!reclaimed[found]);
leave:
		if                                       /* it leaves, or dies inside */
		:: held[me]--
		:: goto dead
		fi;
		number = reports;
		if
		:: number != NONE && held[me] == 0 ->
			mine = reports;                      /* loaded a second time */
			if
			:: mine != NONE && mine != last -> last = mine; queue[mine]!me
			:: else
			fi
		:: else
		fi;
		goto next;
leave_inner:
		number = reports;                        /* something is held still: no report */
		assert(!reclaimed[found]);
		goto leave;
next:
		skip
	od;
dead:
	registered[me] = false;
#ifndef FORGETFUL
	number = reports;
	if
	:: number != NONE -> queue[number]!me
	:: else
	fi
#endif
}

proctype updater()
{
	byte old, each, who, update = 1;
	bool known[READERS], ongoing[READERS];
	byte left;

	do
	:: update > UPDATES -> break
	:: else ->
		old = published;
		published = update;                      /* removal */
#ifndef EARLY
		reports = update;
#endif
		d_step {                                 /* the register is copied as a whole */
			each = 0;
			do
			:: each < READERS -> known[each] = registered[each]; each++
			:: else -> break
			od;
			each = 0; left = 0
		};
		do                                       /* and then each thread's list */
		:: each < READERS ->
			atomic {
				ongoing[each] = known[each] && held[each] > 0;
				left = left + ongoing[each]
			};
			each++
		:: else -> break
		od;
#ifdef EARLY
		reports = update;
#endif
#ifndef HASTY
		do
		:: left == 0 -> break
		:: left > 0 ->
			queue[update]?who;
			if
			:: ongoing[who] -> ongoing[who] = false; left--
			:: else
			fi
		od;
#endif
		reports = NONE;
		reclaimed[old] = true;                   /* reclamation */
		update++
	od
}

init
{
	byte each;

	atomic {
		run updater();
		do
		:: each < READERS -> run reader(each); each++
		:: else -> break
		od
	}
}
