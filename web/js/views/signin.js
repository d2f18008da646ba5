/** The first page: paste a token. */
import { h, icon, logo } from '../dom.js';

/** @param {{message?: string, onToken: (token: string) => void}} options */
export function createSignIn({ message, onToken }) {
  const input = h('textarea', {
    id: 'token', rows: '4', required: true, spellcheck: 'false', autocomplete: 'off', autocapitalize: 'off',
    placeholder: 'eyJhbGciOi…', 'aria-describedby': message ? 'token-problem token-help' : 'token-help', 'aria-invalid': message ? 'true' : undefined,
  });
  const submit = (event) => {
    event.preventDefault();
    // Tokens copied from a terminal or a mail come with line breaks.
    const token = input.value.replace(/\s+/g, '').replace(/^Bearer/i, '');
    if (token) onToken(token);
  };
  input.addEventListener('keydown', (event) => event.key === 'Enter' && submit(event));
  return h('main', { class: 'signin' },
    h('form', { class: 'signin-card', onsubmit: submit },
      logo(),
      h('h1', {}, 'Welcome to Nova'),
      h('p', { class: 'muted' }, 'Chat with people on Nova and on Matrix, from one place.'),
      message && h('p', { class: 'notice problem', role: 'alert', id: 'token-problem' }, icon('alert'), h('span', {}, message)),
      h('label', { for: 'token' }, 'Your Nova token'),
      input,
      h('button', { class: 'primary wide' }, 'Sign in'),
      h('p', { class: 'hint', id: 'token-help' },
        'It stays in this tab and is forgotten when you close it. You can also open this page with ',
        h('code', {}, '#token=…'), ' at the end of its address.')));
}
