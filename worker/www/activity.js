// Tells ided when somebody does something in the page, once a minute at most, and every
// ten minutes that nobody does: a window that was forgotten keeps nothing running.
'use strict';
(() => {
	const MINUTE = 60e3;
	const address = new URL('../api/users/me/activity', document.currentScript.src);
	let last = Date.now(); // when something was done,
	let told = 0;          // when that was told, or is to be told again,
	let said = 0;          // and when anything was

	async function tell() {
		said = Date.now();
		const idle = Math.max(0, Math.floor((said - last) / 1000));
		let status = 0;
		try {
			const answer = await fetch(address, { method: 'POST', redirect: 'error',
				headers: { 'content-type': 'application/json' }, body: JSON.stringify({ idle }) });
			({ status } = answer);
			await answer.text();
		} catch {
			// It is told again soon;
		}
		// but not to one who has to log in first.
		if (status !== 200 && status !== 401) told = Math.min(told, said - MINUTE * 11 / 12);
	}

	function done() {
		last = Date.now();
		if (last - told < MINUTE && last >= told) return;
		told = last;
		void tell();
	}

	// What is typed in a webview comes as an event of the workbench's own, and a click
	// there takes the focus from the window.
	function watch(w) {
		for (const type of ['keydown', 'pointerdown', 'wheel', 'touchmove'])
			w.addEventListener(type, done, { capture: true, passive: true });
		w.addEventListener('blur', (event) => { if (event.target === w) done(); });
	}

	// Editors that are moved to windows of their own belong to this page.
	const { open } = window;
	window.open = function (...args) {
		const w = open.apply(this, args);
		try {
			watch(w);
		} catch {
			// It is of another site.
		}
		return w;
	};

	watch(window);
	setInterval(() => { if (Date.now() - said >= 10 * MINUTE) void tell(); }, MINUTE);
	done();
})();
