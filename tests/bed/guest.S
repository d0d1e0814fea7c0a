# The firmware and all of a guest: 64 KiB of ROM where a BIOS would be, so that a guest is there as soon as its processor is. It
# sleeps, with nothing that wakes it; assembled with OBEYS it switches the machine off when the ACPI power button is pressed, with
# LATE so many ticks of the timer (18.2 a second) later. It writes "!" to its serial port when it is there: what is asked of it
# before, nobody hears.
#
# Facts: QEMU's q35 has the ACPI power management block where the LPC bridge's PMBASE says (ICH9 datasheet, 13.1.13): status word at
# +0, enable word at +2 (bit 8 of each: power button), control word at +4. Bit 13 of the control word with sleep type 0 is S5, as \_S5 in
# QEMU's DSDT says (ACPI 6.4, 4.8.3; QEMU hw/acpi/core.c). Its interrupt is number 9.
    .code16
    .globl _start
    .set PMBASE, 0x600
    .set ENABLE, PMBASE + 2
    .set CONTROL, PMBASE + 4
    .set POWER_BUTTON, 1 << 8
    .set SLEEP, 1 << 13
    .set LPC, 0x8000f800    # configuration space of 00:1f.0
    .set COM1, 0x3f8
    .set APIC, 0xfee00000

    .macro put port, value
    movw $\port, %dx
    movb $\value, %al
    outb %al, %dx
    .endm

    .macro lpc register, value
    movl $(LPC + \register), %eax
    movw $0xcf8, %dx
    outl %eax, %dx
    movl $\value, %eax
    movw $0xcfc, %dx
    outl %eax, %dx
    .endm

_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7c00, %sp
.ifdef OBEYS
    lpc 0x40, PMBASE + 1
    lpc 0x44, 0x80          # decode it; interrupt 9
    movw $pressed, 0x71 * 4
    movw %cs, 0x71 * 4 + 2
    movw $tick, 0x08 * 4
    movw %cs, 0x08 * 4 + 2
    # The processor's own controller lets the two old ones through only when told, at an address that needs a segment of 4 GiB.
    lgdtl %cs:table
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    movw $8, %bx
    movw %bx, %ds
    andb $~1, %al
    movl %eax, %cr0
    movl $APIC, %ebx
    movl $0x1ff, 0xf0(%ebx)
    movl $0x700, 0x350(%ebx)
    # Those: vectors 8 and 0x70, and nothing but the power button.
    put 0x20, 0x11
    put 0x21, 0x08
    put 0x21, 0x04
    put 0x21, 0x01
    put 0x21, 0xfb
    put 0xa0, 0x11
    put 0xa1, 0x70
    put 0xa1, 0x02
    put 0xa1, 0x01
    put 0xa1, 0xfd
    movw $ENABLE, %dx
    movw $POWER_BUTTON, %ax
    outw %ax, %dx
.endif
    put COM1, '!'
    sti
idle:
    hlt
    jmp idle

.ifdef OBEYS
pressed:
.ifdef LATE
    movw $LATE, %bx
    put 0x43, 0x34          # the timer, as slow as it goes
    put 0x40, 0
    put 0x40, 0
    put 0x21, 0xfe
    put 0xa0, 0x20
    put 0x20, 0x20
    iret
tick:
    put 0x20, 0x20
    decw %bx
    jz off
    iret
off:
.else
tick:
.endif
    movw $CONTROL, %dx
    movw $SLEEP, %ax
    outw %ax, %dx
    iret
.endif

    .balign 8
segments:
    .quad 0, 0x008f92000000ffff
table:
    .word . - segments - 1
    .long 0xf0000 + segments

    .org 0xfff0             # where a processor begins
    ljmp $0xf000, $_start
    .org 0x10000
