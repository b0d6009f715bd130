// Small repairs of the theme, most of them for readers who use a keyboard or a screen reader.
document.addEventListener("DOMContentLoaded", () => {
  // The label should be what the button shows: it says "Search" and the keys to press.
  for (const button of document.querySelectorAll(".search-button-field")) {
    button.removeAttribute("aria-label");
  }

  // "Color mode" is the name of this button; the names of its three icons only contradict it.
  // Font Awesome draws the icons at a moment of its own.
  for (const button of document.querySelectorAll(".theme-switch-button")) {
    const hideIcons = () => {
      for (const icon of button.querySelectorAll("svg")) {
        icon.setAttribute("aria-hidden", "true");
        icon.removeAttribute("aria-labelledby");
        icon.querySelector("title")?.remove();
      }
    };
    hideIcons();
    new MutationObserver(hideIcons).observe(button, { childList: true });
  }

  // Folded code says in words what it opens: a second, other name contradicts them.
  for (const summary of document.querySelectorAll("div.cell details.hide > summary")) {
    summary.removeAttribute("aria-label");
  }

  // The logo stands outside of every landmark unless the sidebar is one.
  document.getElementById("pst-primary-sidebar")?.setAttribute("role", "complementary");
  document.getElementById("pst-primary-sidebar")?.setAttribute("aria-label", "Course");

  // The arrow that opens a part of the contents has no name of its own.
  for (const summary of document.querySelectorAll(".has-children > details > summary")) {
    const link = summary.closest(".has-children").querySelector("a");
    summary.setAttribute("aria-label", `Pages under ${link.textContent.trim()}`);
  }

  // A list may hold list items only, and doc-biblioentry is deprecated.
  for (const entry of document.querySelectorAll(".citation-list, .citation-list > [role]")) {
    entry.removeAttribute("role");
  }

  // An answer may be a formula alone, which is no name. Its number is, and helps the ear.
  let number = 0;
  for (const summary of document.querySelectorAll("details.choice > summary")) {
    const continues = summary.parentElement.previousElementSibling?.matches("details.choice");
    number = continues ? number + 1 : 1;
    const label = document.createElement("span");
    label.className = "visually-hidden";
    label.textContent = `Answer ${number}: `;
    summary.prepend(label);
  }
});

// A formula that is wider than the page scrolls: the arrow keys must reach it.
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll("div.math mjx-container").forEach((formula) => observer.observe(formula));
});

// Paper is light.
let themeOnScreen;
window.addEventListener("beforeprint", () => {
  themeOnScreen = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
window.addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = themeOnScreen;
});
