# A guest without an operating system: one boot sector in an image of 1 MiB. It idles; assembled with OBEYS
# it also switches the machine off when the ACPI power button is pressed, with LATE so many ticks of the BIOS's timer
# later. It writes "!" to its serial port
# when it is there: what is asked of it before, the firmware ignores.
#
# Facts: QEMU's q35 under SeaBIOS has the ACPI power management block at port 0x600: status word at +0,
# enable word at +2 (bit 8 of each: power button), control word at +4. Bit 13 of the control word with sleep
# type 0 is S5, as \_S5 in QEMU's DSDT says (ACPI 6.4, 4.8.3; QEMU hw/acpi/core.c).
    .code16
    .globl _start
    .set STATUS, 0x600
    .set ENABLE, 0x602
    .set CONTROL, 0x604
    .set POWER_BUTTON, 1 << 8
    .set SLEEP, 1 << 13
    .set COM1, 0x3f8
    .set TICKS, 0x46c       # counted by the BIOS, 18.2 a second

_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7c00, %sp
.ifdef OBEYS
    movw $ENABLE, %dx
    movw $POWER_BUTTON, %ax
    outw %ax, %dx
.endif
    movw $COM1, %dx
    movb $'!', %al
    outb %al, %dx
    sti
idle:
    hlt                     # the BIOS's timer interrupt ends it 18 times a second
.ifdef OBEYS
    movw $STATUS, %dx
    inw %dx, %ax
    testw $POWER_BUTTON, %ax
    jz idle
.ifdef LATE
    movw TICKS, %bx
late:
    hlt
    movw TICKS, %ax
    subw %bx, %ax
    cmpw $LATE, %ax
    jb late
.endif
    movw $CONTROL, %dx
    movw $SLEEP, %ax
    outw %ax, %dx
.endif
    jmp idle

    .org 510
    .word 0xaa55
    .org 1 << 20
