/** Elements are made here and nowhere else. Text becomes text nodes, so nothing from a bundle is ever parsed as HTML. */

type Child = Node | string | null | undefined | false;
type Handler = (event: Event) => void;
type Attributes = Record<string, string | boolean | Handler | undefined>;

export function h(tag: string, attributes: Attributes = {}, ...children: Child[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, '');
    else if (typeof value === 'string') element.setAttribute(name, value);
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/** Replaces what a place shows, and keeps the keyboard's focus and what was typed, selected or opened where the keys are the same. */
export function show(place: Element, ...children: Node[]): void {
  const key = document.activeElement?.getAttribute('data-key');
  const focused = key && place.contains(document.activeElement) ? key : null;
  const selection = document.activeElement instanceof HTMLInputElement
    ? [document.activeElement.selectionStart, document.activeElement.selectionEnd] as const : null;
  const typed = new Map<string, string>();
  for (const input of place.querySelectorAll<HTMLInputElement>('input[data-key]')) typed.set(input.dataset.key!, input.value);
  const open = new Map<string, boolean>();
  for (const details of place.querySelectorAll<HTMLDetailsElement>('details[data-key]')) {
    open.set(details.dataset.key!, details.open);
  }
  place.replaceChildren(...children);
  for (const input of place.querySelectorAll<HTMLInputElement>('input[data-key]')) {
    input.value = typed.get(input.dataset.key!) ?? input.value;
  }
  for (const details of place.querySelectorAll<HTMLDetailsElement>('details[data-key]')) {
    details.open = open.get(details.dataset.key!) ?? details.open;
  }
  if (!focused) return;
  const again = place.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`);
  again?.focus({ preventScroll: true });
  if (again instanceof HTMLInputElement && selection) again.setSelectionRange(...selection);
}

export function button(label: string, key: string, click: () => void, attributes: Attributes = {}): HTMLElement {
  return h('button', { type: 'button', 'data-key': key, click, ...attributes }, label);
}

/** Saves a file that the page made itself. */
export function download(name: string, type: string, content: string): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  h('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
