// Scripts run here: what needs them is shown. The style sheet hides it until then (`html:not(.script)` in site.css).
document.documentElement.classList.add("script");
