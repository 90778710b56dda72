// The script of a page that says that something does not answer yet: it asks for the
// page's own address until the answer is not ours any more, and loads the page then.
// It asks ever more seldom, not while nobody can see the page, and no longer than
// somebody seems to be there.
'use strict';

(() => {
	const FIRST = 1000, LONGEST = 15000; // ms between two questions
	const PATIENCE = 30 * 60000;         // without a sign of anybody
	const said = document.getElementById('wait');
	const since = Date.now();
	let pause = FIRST, sign = since, timer = 0, asking = false, rests = false;

	// A frame that has no origin of its own may ask nothing.
	if (!said || self.origin === 'null') return;

	const say = (what) => {
		said.textContent = said.dataset[what];
	};

	// Is the answer still ours?  None at all says nothing: ided may be away, or the network.
	const ours = () => fetch(location.href, {
		mode: 'same-origin', cache: 'no-store', redirect: 'manual',
		headers: { 'X-Ided-Waits': String(Math.max(0, Math.floor((Date.now() - since) / 1000))) },
	}).then((r) => r.headers.has('X-Ided-Waits'), () => true);

	const later = () => {
		timer = setTimeout(ask, pause);
		pause = Math.min(2 * pause, LONGEST);
	};

	async function ask() {
		clearTimeout(timer);
		if (asking || document.hidden) return;
		if (Date.now() - sign > PATIENCE) {
			rests = true;
			say('rests');
			return;
		}
		asking = true;
		if (!await ours()) {
			say('comes');
			location.reload();
			return;
		}
		asking = false;
		later();
	}

	// Somebody is there, or is there again.
	const again = () => {
		sign = Date.now();
		if (rests) say('looks');
		rests = false;
		pause = FIRST;
		ask();
	};
	document.addEventListener('visibilitychange', () => { if (!document.hidden) again(); });
	for (const type of ['pointermove', 'pointerdown', 'keydown', 'focus'])
		window.addEventListener(type, () => {
			if (rests) again();
			else sign = Date.now();
		}, { passive: true });
	say('looks');
	later();
})();
