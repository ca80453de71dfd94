"""Symbols: what LaTeX's commands for single signs mean, in Unicode"""

from __future__ import annotations

__all__ = [
    "ACCENTS",
    "FONTS",
    "FUNCTIONS",
    "IGNORED",
    "LETTERS",
    "LIMITED",
    "OPERATORS",
    "SPACES",
    "SUBSCRIPTS",
    "SUPERSCRIPTS",
]


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


LETTERS = _pairs("""
    alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ mu μ
    nu ν xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ
    omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω infty ∞ partial ∂ nabla ∇
    hbar ℏ ell ℓ Re ℜ Im ℑ wp ℘ aleph ℵ beth ℶ emptyset ∅ varnothing ∅ imath ı jmath ȷ degree ° angle ∠ triangle △
    square □ Box □ blacksquare ■ diamond ⋄ star ⋆ dagger † ddagger ‡ top ⊤ bot ⊥ forall ∀ exists ∃ nexists ∄ neg ¬
    lnot ¬ complement ∁ checkmark ✓ clubsuit ♣ diamondsuit ♢ heartsuit ♡ spadesuit ♠ prime ′ backprime ‵ ldots …
    dots … cdots ⋯ dotsc … dotsb ⋯ vdots ⋮ ddots ⋱ P ¶ S § pounds £ copyright © AA Å ss ß backslash \\ % % $ $ # # & &
    { { } } _ _
""")

OPERATORS = _pairs("""
    pm ± mp ∓ times × div ÷ cdot · ast ∗ circ ∘ bullet • oplus ⊕ ominus ⊖ otimes ⊗ oslash ⊘ odot ⊙ cap ∩ cup ∪ uplus ⊎
    sqcap ⊓ sqcup ⊔ vee ∨ lor ∨ wedge ∧ land ∧ setminus ∖ wr ≀ amalg ⨿ bigcirc ◯ leq ≤ le ≤ geq ≥ ge ≥ leqslant ⩽
    geqslant ⩾ ll ≪ gg ≫ neq ≠ ne ≠ equiv ≡ sim ∼ simeq ≃ approx ≈ approxeq ≊ cong ≅ propto ∝ doteq ≐ triangleq ≜
    coloneqq ≔ prec ≺ succ ≻ preceq ⪯ succeq ⪰ subset ⊂ supset ⊃ subseteq ⊆ supseteq ⊇ subsetneq ⊊ supsetneq ⊋ in ∈
    ni ∋ notin ∉ mid ∣ nmid ∤ parallel ∥ nparallel ∦ perp ⊥ models ⊨ vdash ⊢ dashv ⊣ vDash ⊨ asymp ≍ bowtie ⋈
    therefore ∴ because ∵ lesssim ≲ gtrsim ≳ to → gets ← rightarrow → leftarrow ← leftrightarrow ↔ Rightarrow ⇒
    Leftarrow ⇐ Leftrightarrow ⇔ implies ⟹ impliedby ⟸ iff ⟺ longrightarrow ⟶ longleftarrow ⟵ longleftrightarrow ⟷
    Longrightarrow ⟹ Longleftarrow ⟸ Longleftrightarrow ⟺ mapsto ↦ longmapsto ⟼ uparrow ↑ downarrow ↓ updownarrow ↕
    Uparrow ⇑ Downarrow ⇓ nearrow ↗ searrow ↘ swarrow ↙ nwarrow ↖ hookrightarrow ↪ hookleftarrow ↩ rightharpoonup ⇀
    leftharpoonup ↼ rightleftharpoons ⇌ leadsto ⇝ langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ lbrace { rbrace }
    lbrack [ rbrack ] vert | Vert ‖ lvert | rvert | lVert ‖ rVert ‖ | ‖ colon : int ∫ iint ∬ iiint ∭ oint ∮ surd √
""")

LIMITED = _pairs("""
    sum ∑ prod ∏ coprod ∐ bigcup ⋃ bigcap ⋂ bigvee ⋁ bigwedge ⋀ bigoplus ⨁ bigotimes ⨂ bigodot ⨀ biguplus ⨄ bigsqcup ⨆
    lim lim limsup limsup liminf liminf max max min min sup sup inf inf argmax argmax argmin argmin det det gcd gcd
    Pr Pr
""")

FUNCTIONS = frozenset(
    _pairs("""
    sin . cos . tan . cot . sec . csc . arcsin . arccos . arctan . sinh . cosh . tanh . coth . log . ln . lg . exp .
    arg . deg . dim . hom . ker .
""")
)

IGNORED = frozenset(
    _pairs("""
    displaystyle . textstyle . scriptstyle . limits . nolimits . nonumber . notag . hline . mathstrut . strut .
    right . left . middle .
    """)
)

SPACES = {",": "\u2009", ":": " ", ">": " ", ";": " ", "!": "", " ": " ", "quad": "  ", "qquad": "    ", "/": ""}

ACCENTS = {
    "hat": "\u0302",
    "widehat": "\u0302",
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "bar": "\u0304",
    "overline": "\u0305",
    "underline": "\u0332",
    "vec": "\u20d7",
    "overrightarrow": "\u20d7",
    "dot": "\u0307",
    "ddot": "\u0308",
    "check": "\u030c",
    "breve": "\u0306",
    "acute": "\u0301",
    "grave": "\u0300",
    "mathring": "\u030a",
}

# letters in a font: where its A, a and 0 stand, and those that had a place of their own before
FONTS: dict[str, tuple[int, int, int, dict[str, str]]] = {
    "mathbf": (0x1D400, 0x1D41A, 0x1D7CE, {}),
    "bm": (0x1D468, 0x1D482, 0x1D7CE, {}),
    "boldsymbol": (0x1D468, 0x1D482, 0x1D7CE, {}),
    "mathbb": (0x1D538, 0x1D552, 0x1D7D8, dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True))),
    "mathcal": (0x1D49C, 0x1D4B6, 0, dict(zip("BEFHILMRego", "ℬℰℱℋℐℒℳℛℯℊℴ", strict=True))),
    "mathscr": (0x1D49C, 0x1D4B6, 0, dict(zip("BEFHILMRego", "ℬℰℱℋℐℒℳℛℯℊℴ", strict=True))),
    "mathfrak": (0x1D504, 0x1D51E, 0, dict(zip("CHIRZ", "ℭℌℑℜℨ", strict=True))),
    "mathsf": (0x1D5A0, 0x1D5BA, 0x1D7E2, {}),
    "mathtt": (0x1D670, 0x1D68A, 0x1D7F6, {}),
}

SUPERSCRIPTS = dict(
    zip(
        "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδεθιφχ′",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᵋᶿᶥᵠᵡ′",
        strict=True,
    )
)
SUBSCRIPTS = dict(zip("0123456789+-−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True))
